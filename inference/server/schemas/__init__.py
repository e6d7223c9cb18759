"""What requests and replies of the HTTP API look like; the OpenAPI document is made of them.

Fields and defaults are OpenAI's where it has them; those beyond are named as vLLM does. Numbers
are not read from strings. Fields that are not known are ignored, as by vLLM and llama.cpp, because
clients send what other servers understand; those that would change the answer and cannot be
followed are refused by name.
"""
