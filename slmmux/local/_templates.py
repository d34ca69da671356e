"""Chat templates for models without one, or with one whose tool calls llama.cpp cannot read."""

__all__ = ["CHATML_WITH_TOOLS", "QUESTION_AND_ANSWER"]

# A base model continues text, so the prompt is the start of a list of questions and answers with two examples. (With an
# instruction alone it was right about five of the twelve validation capitals of bench/questions.jsonl, with these
# examples about ten; k = 5, temperature 0.7, one run.) It ends an answer with a line break or with the next question:
# both are its stop sequences.
QUESTION_AND_ANSWER = """\
{%- if messages[0].role == 'system' -%}{{ messages[0].content + '\\n\\n' }}{%- endif -%}
{{ 'Question: What colour is the sky?\\nAnswer: Blue\\n\\n' -}}
{{ 'Question: How many days are in a week?\\nAnswer: 7\\n\\n' -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ 'Question: ' + message.content + '\\nAnswer:' }}
{%- elif message.role != 'system' -%}{{ ' ' + message.content + '\\n\\n' }}
{%- endif -%}
{%- endfor -%}
"""

# Qwen2.5-Coder-0.5B is instructed to wrap a tool call in <tool_call> tags, but writes the bare JSON object, which
# llama.cpp takes for prose. This is the model's own template without the tags, so that llama.cpp looks for the bare
# object. The 1.5B puts its calls into a code block, which a template cannot change; it keeps its own.
CHATML_WITH_TOOLS = """\
{%- set system = 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' %}
{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}{% endif %}
{{- '<|im_start|>system\\n' + system }}
{%- if tools %}
{{- '\\n\\n# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\n' }}
{{- 'You are provided with function signatures within <tools></tools> XML tags:\\n<tools>' }}
{%- for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
{{- '\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments:\\n' }}
{{- '{"name": <function-name>, "arguments": <args-json-object>}' }}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first)
       or (message.role == 'assistant' and not message.tool_calls) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant' }}
{%- if message.content %}{{ '\\n' + message.content }}{% endif %}
{%- for call in message.tool_calls %}
{%- if call.function is defined %}{% set call = call.function %}{% endif %}
{{- '\\n{"name": "' + call.name + '", "arguments": ' + (call.arguments | tojson) + '}' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
