"""Three texts for a system prompt: which tool when, how the tools work together, how to word a prompt."""

TOOL_CHOICE = """\
# Which music tool when
- A short wish ("a birthday song"): producer_generate_music. Lyrics and arrangement are made for the user.
- Lyrics, a title or an exact style are given: producer_generate_custom_music.
- Lyrics first, to read or edit: producer_generate_lyrics, then producer_generate_custom_music.
- Longer, or one more part: producer_extend_music.
- Another genre, acoustic, remix: producer_cover_music. Another take of the same: producer_variation_music.
- Other vocals over the same music: producer_swap_vocals. Other music under the same vocals:
  producer_swap_instrumentals. Both take one song; the API cannot mix two.
- One part is wrong: producer_replace_section.
- Vocals and instruments apart: producer_stems_music. A video: producer_generate_video. Lossless:
  producer_generate_wav. The user's own audio: producer_upload_audio first.
- After a submit: producer_wait_for_tasks, for one song or for many. A look without waiting: producer_get_task, or
  producer_get_tasks_batch. Files on disk: producer_download_results.

# Rules
- Songs are made in the background: a submitting tool returns a task_id, and nothing is finished yet. Do what its
  next_step says.
- A task is done only when state is complete and success is true. While it is pending there may already be a URL:
  a preview that streams. Never give a preview to the user as the result.
- Every submit costs money. Never submit again to see whether a song is ready, nor after an error that says the
  outcome is unknown.
- FUZZ-2.0 suits most songs; FUZZ-2.0 Pro has the best quality.
"""
"""Choosing a tool, and the rules that hold for all of them."""

WORKFLOW_STEPS = {
    "quick song": 'producer_generate_music(prompt="rock anthem about freedom, electric guitars, powerful drums") > '
    "producer_wait_for_tasks([task_id]) > give the user the result",
    "lyrics to custom song": "ask for title and style if they are missing > producer_generate_lyrics(prompt), unless "
    "the user gives the lyrics > producer_generate_custom_music(lyric, title, prompt) > producer_wait_for_tasks",
    "long song": "producer_generate_music > producer_wait_for_tasks > producer_extend_music(audio_id, "
    "continue_at=duration_seconds, lyric=the next verses) > producer_wait_for_tasks > repeat with each new audio_id",
    "cover": 'producer_cover_music(audio_id, prompt="smooth jazz, saxophone, brushed drums") > producer_wait_for_tasks',
    "mash-up of voice and beat": "producer_swap_vocals(audio_id) or producer_swap_instrumentals(audio_id) > "
    "producer_wait_for_tasks",
    "fix a section": "producer_replace_section(audio_id, replace_section_start=30, replace_section_end=45, lyric=the "
    "new lines) > producer_wait_for_tasks",
    "your own music": "producer_upload_audio(audio_url) > producer_extend_music, producer_cover_music or "
    "producer_replace_section with uploaded=true > producer_wait_for_tasks",
}
"""The workflows by name, each as a sequence of calls."""

_NUMBERED = "\n".join(f"{number}. {name}: {steps}." for number, (name, steps) in enumerate(WORKFLOW_STEPS.items(), 1))

WORKFLOWS = f"""\
# How the music tools work together
{_NUMBERED}

Always pass the audio_id of a result, never a task_id, to a tool that works on a song. For several songs, submit them
all, then wait for them together. producer_download_results(task_id) saves a finished song as files.
"""
"""Workflow examples, from a quick song to the user's own recording."""

PROMPT_WRITING = """\
# How to word a music prompt (at most 200 characters)
Name the genre (pop, rock, jazz, classical, electronic, hip-hop, country, R&B, metal, folk), the mood (happy, sad,
calm, energetic, dark, romantic), two or three instruments or sounds, the tempo (slow, mid-tempo, fast) and, if it
matters, the era (80s, vintage, modern).
- Pop: "bright dance pop, glossy synths, claps, catchy chorus, modern"
- Rock: "driving stadium rock, crunchy guitars, big drums, defiant"
- Jazz: "late-night jazz trio, upright bass, brushed drums, warm sax"
- Electronic: "festival house, pulsing bass, rising arpeggios, euphoric"
- Classical: "cinematic orchestra, soaring strings, slow build, noble"
- Folk: "intimate folk, fingerpicked guitar, soft harmonies, storytelling"
- Hip-hop: "moody trap, deep 808 bass, crisp hi-hats, confident flow"

Models: FUZZ-2.0 by default; FUZZ-2.0 Pro for a final production; FUZZ-2.0 Raw to process the sound yourself; the
FUZZ-1 and 0.8 models for their older character.

Lyrics: [Intro] sets the mood, [Verse] tells the story, [Pre-Chorus] builds up, [Chorus] is the hook, [Bridge]
brings a contrast, [Outro] lets it end. Lines of four to eight simple words sing best.
"""
"""Advice on writing prompts and lyrics, and on the model to pick."""
