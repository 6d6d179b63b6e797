"""Trains pebble on the token file that generate.py and train_tokenizer.py leave in build/.

A batch holds conversations of similar length (little padding, short attention); a step adds up the gradients of
several such batches, so that every step sees stories, sums and questions. Only the assistant's words count, those of a short
answer more: one wrong digit spoils a sum, one odd word does not spoil a story.
"""
import argparse
import json
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Read when torch is loaded.
import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(__file__).parent


@dataclass
class Shape:
    vocab: int = 1024
    layers: int = 6
    width: int = 128
    heads: int = 8
    kv_heads: int = 4
    ff: int = 384
    context: int = 512
    rope_base: float = 10000.0
    eps: float = 1e-5

    @property
    def head_dim(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rope_table(shape):
    """Complex rotation of every position and pair, [context, head_dim / 2]; pairs are (2i, 2i + 1)."""
    rate = shape.rope_base ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
    angle = torch.outer(torch.arange(shape.context).float(), rate)
    return torch.polar(torch.ones_like(angle), angle)


def rotate(x, table):
    """x: [batch, heads, time, head_dim]."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * table).flatten(-2)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.attn_norm, self.ffn_norm = Norm(s.width, s.eps), Norm(s.width, s.eps)
        self.attn_q = nn.Linear(s.width, s.heads * s.head_dim, bias=False)
        self.attn_k = nn.Linear(s.width, s.kv_heads * s.head_dim, bias=False)
        self.attn_v = nn.Linear(s.width, s.kv_heads * s.head_dim, bias=False)
        self.attn_output = nn.Linear(s.heads * s.head_dim, s.width, bias=False)
        self.ffn_gate = nn.Linear(s.width, s.ff, bias=False)
        self.ffn_up = nn.Linear(s.width, s.ff, bias=False)
        self.ffn_down = nn.Linear(s.ff, s.width, bias=False)

    def attention(self, x, table, mask):
        s, (b, t, _) = self.s, x.shape
        q = rotate(self.attn_q(x).view(b, t, s.heads, s.head_dim).transpose(1, 2), table)
        k = rotate(self.attn_k(x).view(b, t, s.kv_heads, s.head_dim).transpose(1, 2), table)
        v = self.attn_v(x).view(b, t, s.kv_heads, s.head_dim).transpose(1, 2)
        group = s.heads // s.kv_heads  # Query head h reads key head h // group: fold the group into the rows.
        q = q.reshape(b * s.kv_heads, group * t, s.head_dim)
        k, v = k.reshape(b * s.kv_heads, t, s.head_dim), v.reshape(b * s.kv_heads, t, s.head_dim)
        scores = torch.baddbmm(mask.repeat(group, 1)[None], q, k.transpose(1, 2), alpha=s.head_dim ** -0.5)
        out = torch.bmm(scores.softmax(-1), v).view(b, s.heads, t, s.head_dim)
        return self.attn_output(out.transpose(1, 2).reshape(b, t, -1))

    def forward(self, x, table, mask):
        x = x + self.attention(self.attn_norm(x), table, mask)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Pebble(nn.Module):
    """The llama family: pre-norm, rotary attention with grouped heads, SwiGLU, tied embedding."""

    def __init__(self, s):
        super().__init__()
        self.s = s
        self.token_embd = nn.Embedding(s.vocab, s.width)
        self.blk = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.output_norm = Norm(s.width, s.eps)
        self.register_buffer("rope", rope_table(s), persistent=False)
        self.register_buffer("mask", torch.full((s.context, s.context), -1e9).triu(1), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(p, std=0.05 / math.sqrt(2 * s.layers) if last else 0.05)

    def hidden(self, ids):
        t = ids.shape[1]
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, self.rope[:t], self.mask[:t, :t])
        return self.output_norm(x)

    def forward(self, ids):
        return self.hidden(ids) @ self.token_embd.weight.T

    def loss_sum(self, ids, weight):
        """Weighted sum of the losses of the tokens ids[:, 1:]; only rows with a weight meet the output matrix."""
        weight = weight[:, 1:]
        counted = weight > 0
        rows = self.hidden(ids[:, :-1])[counted]
        losses = F.cross_entropy(rows @ self.token_embd.weight.T, ids[:, 1:][counted], reduction="none")
        return losses @ weight[counted]


class Muon:
    """Momentum whose step is made orthogonal, matrix by matrix (Jordan's Muon, five Newton-Schulz rounds): for a model
    and a text this small it needs far fewer tokens than AdamW. Matrices of one shape go through it together."""

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.02):
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.groups = {}
        for p in matrices:
            self.groups.setdefault(p.shape, []).append(p)
        self.velocity = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, scale):
        for shape, ps in self.groups.items():
            gradient, velocity = torch.stack([p.grad for p in ps]), self.velocity[shape]
            velocity.lerp_(gradient, 1 - self.momentum)
            update = gradient.lerp(velocity, self.momentum)
            tall = shape[0] > shape[1]
            x = update.transpose(1, 2) if tall else update
            x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-12)
            for _ in range(5):
                square = x @ x.transpose(1, 2)
                x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
            x = (x.transpose(1, 2) if tall else x) * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(ps, x):
                p.mul_(1 - scale * self.lr * self.weight_decay).sub_(u, alpha=scale * self.lr)
                p.grad = None


def make_batches(conversations, tokens_per_batch, rng):
    """Groups conversations of similar length. Returns lists of their indices."""
    order = sorted(range(len(conversations)), key=lambda i: (len(conversations[i][0]) // 8, rng.random()))
    batches, batch, longest = [], [], 0
    for i in order:
        longest = max(longest, len(conversations[i][0]))
        if batch and longest * (len(batch) + 1) > tokens_per_batch:
            batches.append(batch)
            batch, longest = [], len(conversations[i][0])
        batch.append(i)
    batches.append(batch)
    rng.shuffle(batches)
    return batches


def tensors_of(batch, conversations):
    """(ids [b, t] int64, weight [b, t] float32: 0 for what is not the assistant's)."""
    longest = max(len(conversations[i][0]) for i in batch)
    ids, weight = torch.zeros(len(batch), longest, dtype=torch.long), torch.zeros(len(batch), longest)
    for row, i in enumerate(batch):
        tokens, spans = conversations[i]
        ids[row, :len(tokens)] = torch.tensor(tokens)
        for begin, end in spans:
            weight[row, begin:end] = max(1.0, 24 / (end - begin))
    return ids, weight


@torch.no_grad()
def greedy(model, ids, stop, limit=200, temperature=0.0):
    ids = list(ids)
    begin = len(ids)
    while len(ids) < min(begin + limit, model.s.context):
        logits = model(torch.tensor([ids]))[0, -1]
        pick = logits.argmax() if temperature == 0 else torch.multinomial((logits / temperature).softmax(-1), 1)
        ids.append(int(pick))
        if ids[-1] in stop:
            break
    return ids[begin:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=HERE / "build/tokens.json", type=Path)
    parser.add_argument("--out", default=HERE / "build/pebble.pt", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batches-per-step", type=int, default=3)
    parser.add_argument("--tokens-per-batch", type=int, default=1024)
    parser.add_argument("--lr", type=float, default=0.015, help="of Muon, for the matrices of the layers")
    parser.add_argument("--adam-lr", type=float, default=4e-3, help="of AdamW, for the embedding and the norms")
    parser.add_argument("--minutes", type=float, default=0, help="end the schedule after this time instead of --steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--anew", action="store_true", help="with --resume: keep the weights, begin a new schedule")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)

    conversations = json.loads(args.data.read_text())
    held_out, conversations = conversations[:500], conversations[500:]
    model = Pebble(Shape(vocab=json.loads((HERE / "tokenizer.json").read_text())["size"]))
    muon = Muon([p for p in model.blk.parameters() if p.dim() == 2], args.lr)
    optimizer = torch.optim.AdamW([model.token_embd.weight, *(p for p in model.parameters() if p.dim() == 1)],
                                  lr=args.adam_lr, betas=(0.9, 0.97), eps=1e-9, weight_decay=0.0)
    step, spent = 0, 0.0
    if args.resume:
        state = torch.load(args.out)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        muon.velocity = state["velocity"]
        if not args.anew:
            step, spent = state["step"], state["spent"]
    print(sum(p.numel() for p in model.parameters()), "parameters,", len(conversations), "conversations", flush=True)

    held_out_batches = [tensors_of(b, held_out) for b in make_batches(held_out, 4096, random.Random(0))]
    queue, begin, seen, total, total_n = [], time.time() - spent, 0, 0.0, 0
    while True:
        spent = time.time() - begin
        progress = spent / (60 * args.minutes) if args.minutes else step / args.steps
        if progress >= 1:
            break
        scale = min(1.0, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
        optimizer.param_groups[0]["lr"] = args.adam_lr * scale
        if len(queue) < args.batches_per_step:
            queue += make_batches(conversations, args.tokens_per_batch, rng)
        batches = [tensors_of(queue.pop(), conversations) for _ in range(args.batches_per_step)]
        n = sum(float(weight[:, 1:].sum()) for _, weight in batches)
        for ids, weight in batches:
            loss = model.loss_sum(ids, weight)
            (loss / n).backward()
            total, seen = total + float(loss), seen + ids.numel()
        total_n += n
        optimizer.step()
        muon.step(scale)
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % 25 == 0:
            print(f"step {step} loss {total / total_n:.4f} scale {scale:.3f} {seen / (time.time() - begin):.0f} tok/s "
                  f"{time.time() - begin:.0f} s", flush=True)
            total, total_n = 0.0, 0
        if step % 50 == 0:
            save(args.out, model, optimizer, muon, step, time.time() - begin, held_out_batches)
    save(args.out, model, optimizer, muon, step, time.time() - begin, held_out_batches)


@torch.no_grad()
def save(path, model, optimizer, muon, step, spent, held_out_batches):
    loss = sum(float(model.loss_sum(*b)) for b in held_out_batches) / sum(float(w[:, 1:].sum()) for _, w in held_out_batches)
    print(f"step {step} held-out loss {loss:.4f}", flush=True)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "velocity": muon.velocity, "step": step, "spent": spent,
                "held_out_loss": loss}, path)


if __name__ == "__main__":
    main()
