"use strict";
// Plays the songs of a page. A deck plays one song, or two takes of one in step, of which one is heard.

const BEHIND = 0.06; // Seconds by which the take that is not heard may be behind; from there on it is moved.

const STEP = 5; // Seconds that an arrow key moves.

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// Firefox refuses long data: addresses, and Safari cannot seek in them; both play the same bytes from a blob.
const load = (player) => {
  if (!player.src.startsWith("data:")) return;
  const [head, data] = player.src.split(",");
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  player.src = URL.createObjectURL(new Blob([bytes], { type: head.slice("data:".length).split(";")[0] }));
};

class Deck {
  constructor(root, album) {
    this.root = root;
    this.album = album;
    this.name = root.dataset.name;
    this.seconds = Number(root.dataset.seconds);
    this.players = [...root.querySelectorAll("audio")];
    this.heard = 0;
    this.playing = false;
    this.button = root.querySelector(".play");
    this.seekBar = root.querySelector(".seek");
    this.now = root.querySelector(".now");
    this.all = root.querySelector(".all");
    this.fault = root.querySelector(".fault");
    this.button.addEventListener("click", () => this.toggle());
    this.seekBar.addEventListener("input", () => this.seek(Number(this.seekBar.value)));
    this.seekBar.addEventListener("keydown", (event) => this.key(event));
    this.players.forEach((player) => {
      player.controls = false;
      player.addEventListener("ended", () => this.ended());
      player.addEventListener("loadedmetadata", () => this.measure());
      player.addEventListener("error", () => this.failed());
    });
    root.querySelectorAll(".named").forEach((name) => { name.hidden = true; });
    root.querySelectorAll(".choice input").forEach((choice, index) => {
      choice.name = `heard-${album.decks.length}`;
      choice.checked = index === 0;
      choice.addEventListener("change", () => this.hear(index));
    });
    root.querySelector(".controls").hidden = false;
    this.hear(0);
  }

  // The players that can play what they have, as far as is known.
  get able() {
    return this.players.filter((player) => !player.error);
  }

  // The player whose time the deck shows: the one that is heard, unless it has ended before the other, or cannot play.
  get lead() {
    const heard = this.players[this.heard];
    return heard.ended || heard.error ? this.able.find((player) => !player.ended) ?? heard : heard;
  }

  get position() {
    return this.lead.currentTime;
  }

  hear(index) {
    this.heard = index;
    this.players.forEach((player, each) => { player.muted = each !== index; });
    this.root.dataset.heard = String(index);
    this.paint();
  }

  key(event) {
    const steps = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP };
    if (event.key === " ") this.toggle();
    else if (event.key in steps) this.seek(Math.max(0, this.position + steps[event.key]));
    else return;
    event.preventDefault();
  }

  // The true length may differ a little from what was known before.
  measure() {
    const lengths = this.able.map((player) => player.duration).filter(Number.isFinite);
    if (lengths.length === this.able.length) this.seconds = Math.max(...lengths);
    this.paint();
  }

  toggle() {
    this.album.step = 0;
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    this.album.start(this);
    this.players.forEach(load);
    if (!this.able.length) return;
    if (this.able.every((player) => player.currentTime >= player.duration)) this.seek(0);
    this.playing = true;
    const at = this.position;
    this.able.filter((player) => !(player.duration <= at)).forEach((player) => this.run(player));
    requestAnimationFrame(() => this.follow());
    this.paint();
  }

  run(player) {
    player.play().catch(() => { if (!player.error) this.pause(); });
  }

  pause() {
    this.playing = false;
    this.players.forEach((player) => player.pause());
    this.paint();
  }

  seek(seconds) {
    this.players.forEach((player) => {
      load(player);
      player.currentTime = Math.min(seconds, player.duration || seconds);
      if (this.playing && player.paused && seconds < player.duration) this.run(player);
    });
    this.paint(seconds);
  }

  follow() {
    if (!this.playing) return;
    const at = this.position;
    this.players.forEach((player) => {
      const apart = Math.abs(player.currentTime - at);
      if (apart > BEHIND && at < player.duration && !player.seeking && !player.ended) player.currentTime = at;
    });
    this.paint();
    requestAnimationFrame(() => this.follow());
  }

  ended() {
    if (this.able.some((player) => !player.ended)) return;
    this.pause();
    this.seek(0);
    this.album.next(this, 1);
  }

  // Says which one cannot be played. The other one of a pair, and the songs after it, still play.
  failed() {
    const take = this.able.length ? `${"AB"[this.players.findIndex((player) => player.error)]} cannot` : "Cannot";
    this.fault.textContent = `${take} be played here`;
    if (this.able.length) {
      this.measure();
      if (this.playing) this.ended();
      return;
    }
    this.pause();
    if (this.album.step && this.album.current === this) this.album.next(this, this.album.step);
  }

  paint(at = this.position) {
    const shown = Math.min(at, this.seconds);
    this.root.classList.toggle("playing", this.playing);
    this.root.classList.toggle("begun", this.playing || shown > 0);
    this.root.style.setProperty("--at", `${this.seconds ? (100 * shown) / this.seconds : 0}%`);
    this.button.setAttribute("aria-label", `${this.playing ? "Pause" : "Play"} ${this.name}`);
    this.seekBar.max = String(this.seconds);
    this.seekBar.value = String(shown);
    this.seekBar.setAttribute("aria-valuetext", `${clock(shown)} of ${clock(this.seconds)}`);
    this.now.textContent = clock(shown);
    this.all.textContent = clock(this.seconds);
    this.album.paint(this);
  }
}

// All decks of a page: one plays at a time, and after it the next one. The bar at the bottom shows which.
class Album {
  constructor(page) {
    this.decks = [];
    this.current = null;
    this.step = 0; // By which the current one was reached; 0 if somebody chose it.
    this.bar = page.querySelector(".bar");
    page.querySelectorAll(".deck").forEach((root) => this.decks.push(new Deck(root, this)));
    if (!this.bar) return;
    const [previous, play, next] = this.bar.querySelectorAll("button");
    previous.addEventListener("click", () => this.next(this.current, -1));
    play.addEventListener("click", () => this.current.toggle());
    next.addEventListener("click", () => this.next(this.current, 1));
  }

  start(deck) {
    if (this.current && this.current !== deck) this.current.pause();
    this.current = deck;
    if (!this.bar) return;
    const at = this.decks.indexOf(deck);
    const [previous, , next] = this.bar.querySelectorAll("button");
    this.bar.hidden = false;
    this.bar.querySelector(".title").textContent = deck.name;
    previous.disabled = at === 0;
    next.disabled = at === this.decks.length - 1;
  }

  next(deck, step) {
    const at = this.decks.indexOf(deck);
    const others = step > 0 ? this.decks.slice(at + 1) : this.decks.slice(0, at).reverse();
    const other = others.find((each) => each.able.length);
    if (!other) return;
    this.step = step;
    if (deck.playing) deck.pause();
    other.seek(0);
    other.play();
  }

  paint(deck) {
    if (!this.bar || deck !== this.current) return;
    this.bar.classList.toggle("playing", deck.playing);
    this.bar.querySelector(".play").setAttribute("aria-label", `${deck.playing ? "Pause" : "Play"} ${deck.name}`);
    this.bar.querySelector(".time").textContent = `${deck.now.textContent} / ${deck.all.textContent}`;
  }
}

new Album(document);
if (matchMedia("(max-width: 46rem)").matches) {
  document.querySelectorAll("details.lyrics").forEach((lyrics) => { lyrics.open = false; });
}
