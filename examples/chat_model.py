"""The chat model of the demo and the notebooks: a real one if the environment has a key, else the scripted one."""

import os

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from producer_tools.sandbox import ScriptedChatModel

MODELS = {
    "ANTHROPIC_API_KEY": "anthropic:claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai:gpt-5-mini",
    "GOOGLE_API_KEY": "google_genai:gemini-2.5-flash",
}


def choose_chat_model() -> BaseChatModel:
    """The model that CHAT_MODEL names (``provider:model``), else one whose key is set, else the scripted one."""
    name = os.environ.get("CHAT_MODEL") or next((MODELS[key] for key in MODELS if os.environ.get(key)), None)
    if name is None:
        print("Model: scripted (no model key in the environment). It submits your words and follows each next_step.")
        return ScriptedChatModel()
    try:
        model: BaseChatModel = init_chat_model(name)
    except ImportError as error:
        print(f"Model: scripted, because {name} cannot be loaded: {error}")
        return ScriptedChatModel()
    print(f"Model: {name}")
    return model
