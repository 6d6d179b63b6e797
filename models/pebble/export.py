"""Writes pebble.gguf from the checkpoint: matrices as Q8_0, norms as float32, and the tokenizer."""
import argparse
import struct
from pathlib import Path

import numpy as np
import torch

from generate import DEFAULT_SYSTEM
from train import HERE, Pebble, Shape
from train_tokenizer import SPECIAL, Tokenizer

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TYPE_F32, TYPE_Q8_0 = 0, 8
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3
ALIGNMENT = 32

TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" + DEFAULT_SYSTEM + "<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


def array(key, kind, values):
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(scalar(kind, v) for v in values)


def q8_0(matrix):
    """Blocks of 32 along the row: an f16 scale and 32 signed bytes."""
    blocks = matrix.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    whole = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)
    return np.concatenate([scale.astype("<f2").view(np.int8), whole], axis=1).tobytes()


def metadata(shape, tokenizer):
    kinds = [CONTROL_TOKEN if token in SPECIAL else NORMAL_TOKEN for token in tokenizer.tokens]
    return [
        pair("general.architecture", STRING, "llama"),
        pair("general.name", STRING, "pebble"),
        pair("general.description", STRING, "Drystone's demo model: little stories, small sums, questions about Drystone"),
        pair("general.license", STRING, "apache-2.0"),
        pair("general.file_type", U32, 7),  # Mostly Q8_0.
        pair("general.quantization_version", U32, 2),
        pair("general.alignment", U32, ALIGNMENT),
        pair("llama.block_count", U32, shape.layers),
        pair("llama.context_length", U32, shape.context),
        pair("llama.embedding_length", U32, shape.width),
        pair("llama.feed_forward_length", U32, shape.ff),
        pair("llama.vocab_size", U32, shape.vocab),
        pair("llama.attention.head_count", U32, shape.heads),
        pair("llama.attention.head_count_kv", U32, shape.kv_heads),
        pair("llama.attention.layer_norm_rms_epsilon", F32, shape.eps),
        pair("llama.rope.dimension_count", U32, shape.head_dim),
        pair("llama.rope.freq_base", F32, shape.rope_base),
        pair("tokenizer.ggml.model", STRING, "gpt2"),
        pair("tokenizer.ggml.pre", STRING, "gpt-2"),
        array("tokenizer.ggml.tokens", STRING, tokenizer.tokens),
        array("tokenizer.ggml.token_type", I32, kinds),
        array("tokenizer.ggml.merges", STRING, [" ".join(m) for m in tokenizer.merges]),
        pair("tokenizer.ggml.bos_token_id", U32, tokenizer.id["<|endoftext|>"]),
        pair("tokenizer.ggml.eos_token_id", U32, tokenizer.id["<|im_end|>"]),
        pair("tokenizer.ggml.padding_token_id", U32, tokenizer.id["<|endoftext|>"]),
        pair("tokenizer.ggml.add_bos_token", BOOL, False),
        pair("tokenizer.ggml.add_eos_token", BOOL, False),
        pair("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=HERE / "build/pebble.pt")
    parser.add_argument("--out", type=Path, default=HERE / "pebble.gguf")
    args = parser.parse_args()
    tokenizer = Tokenizer.load()
    shape = Shape(vocab=len(tokenizer.tokens))
    model = Pebble(shape)
    model.load_state_dict(torch.load(args.checkpoint)["model"])

    infos, data = b"", b""
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        kind = TYPE_Q8_0 if values.ndim == 2 else TYPE_F32
        infos += text(name) + struct.pack("<I", values.ndim) + struct.pack(f"<{values.ndim}Q", *reversed(values.shape))
        infos += struct.pack("<IQ", kind, len(data))
        data += q8_0(values) if kind == TYPE_Q8_0 else values.astype("<f4").tobytes()
        data += b"\0" * (-len(data) % ALIGNMENT)
    pairs = metadata(shape, tokenizer)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(list(model.parameters())), len(pairs)) + b"".join(pairs) + infos
    args.out.write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + data)
    print(f"{args.out}: {args.out.stat().st_size} bytes, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()
