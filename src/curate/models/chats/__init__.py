"""A model's chat template: conversations as the text and the tokens that the model is trained on, and the loss mask."""

from curate.models.chats.encoder import ChatEncoder, Encoding, chat_encoder
from curate.models.chats.folder import load_chat_template
from curate.models.chats.template import PLAIN, ChatTemplate, Refused

__all__ = ["PLAIN", "ChatEncoder", "ChatTemplate", "Encoding", "Refused", "chat_encoder", "load_chat_template"]
