"""Chat templates in the manner of model families, written for the tests, and a tokenizer with their control tokens."""

import json

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CHATML = """\
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
CHATML_MARKED = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' %}
{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}
    {%- else %}
        {{- message.content + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA3 = """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now('%d %b %Y') %}
    {%- else %}
        {%- set date_string = '26 Jul 2024' %}
    {%- endif %}
{%- endif %}
{%- if messages[0].role == 'system' %}
    {%- set said = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set said = '' %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date_string + '\\n\\n' + said + '<|eot_id|>' }}
{%- for message in messages %}
    {%- if message.tool_calls %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {{- '{"name": "' + message.tool_calls[0].function.name + '", "parameters": ' }}
        {{- message.tool_calls[0].function.arguments | tojson }}
        {{- '}<|eot_id|>' }}
    {%- elif message.role == 'tool' %}
        {{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' + (message.content | tojson) + '<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
MISTRAL = """\
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set turns = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in turns %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate user/assistant/user/assistant') }}
    {%- endif %}
    {%- if message.role == 'user' %}
        {%- if loop.last and system is defined %}
            {{- '[INST] ' + system + '\\n\\n' + message.content + '[/INST]' }}
        {%- else %}
            {{- '[INST] ' + message.content + '[/INST]' }}
        {%- endif %}
    {%- else %}
        {{- ' ' + message.content | trim + eos_token }}
    {%- endif %}
{%- endfor %}
"""
GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}\
{% else %}{% set role = message['role'] %}{% endif %}\
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""
ZEPHYR = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
QWEN3 = """\
{%- set ns = namespace(last=0) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'assistant' and loop.index0 > ns.last %}
        {{- '<|im_start|>assistant\\n<think>\\n' + (message.reasoning_content or '') | trim + '\\n</think>\\n\\n' }}
        {{- message.content | trim + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
THINKER = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|user|>' + message.content }}
    {%- elif message.role == 'assistant' %}
        {{- '<|assistant|>' + message.content + eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|><think>\\n' }}
{%- endif %}
"""
"""Its prompt for an answer has more than its header."""
HARMONY = """\
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant<|channel|>final<|message|>' + message.content }}
        {{- '</s>' if loop.last else '<|im_end|>' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '<|message|>' + message.content + '<|im_end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant' }}
{%- endif %}
"""
"""Its last answer ends otherwise than those before it, and begins with a header of its own."""
SHUFFLED = """\
{%- for message in messages | reverse %}
    {{- message.role + ': ' + message.content + '\\n' }}
{%- endfor %}
"""
"""The latest turn first: no prefix of the whole is written for its first turns."""

IM, EOT = "<|im_end|>", "<|eot_id|>"
FAMILIES = {
    "chatml": (CHATML, "", IM),
    "chatml, marked": (CHATML_MARKED, "", IM),
    "llama 3": (LLAMA3, "<|begin_of_text|>", EOT),
    "mistral": (MISTRAL, "<s>", "</s>"),
    "gemma": (GEMMA, "<bos>", "<eos>"),
    "zephyr": (ZEPHYR, "<s>", "</s>"),
    "qwen 3": (QWEN3, "", IM),
    "thinker": (THINKER, "<s>", "</s>"),
    "harmony": (HARMONY, "", "</s>"),
}
"""Template, token that begins a text, token that ends one."""

SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", IM, "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", EOT),
    *("<s>", "</s>", "[INST]", "[/INST]", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
]
ORDINARY = ["<think>", "</think>", "<tool_call>"]
_TEXTS = [
    "What is the capital of France? The capital of France is Paris. user assistant system model",
    "the quick brown fox jumps over the lazy dog, isn't it? 123 456 Hello\n\nNASA\n Größe naïve 日本語",
] * 9


def tokenizer():
    """Byte-level BPE with the control tokens of all families."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, show_progress=False, special_tokens=SPECIAL, initial_alphabet=sorted(ByteAlphabet)
    )
    made.train_from_iterator(_TEXTS, trainer)
    made.add_tokens([AddedToken(token, special=False, normalized=False) for token in ORDINARY])
    return made


ByteAlphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()


def model_folder(folder, family, template=None):
    """A model's folder as it is downloaded: tokenizer, its configuration, the template inside or beside it."""
    source, bos, eos = FAMILIES[family] if template is None else (template, "<s>", "</s>")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": eos, "clean_up_tokenization_spaces": False}
    config |= {"bos_token": {"content": bos, "__type": "AddedToken"}} if bos else {}
    if family == "gemma":
        (folder / "chat_template.jinja").write_text(source, "utf-8")
    else:
        config["chat_template"] = source
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return folder
