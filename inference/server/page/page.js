"use strict";

const POLL_MS = 1000;
const KEY_ITEM = "postil-key";

const $ = (id) => document.getElementById(id);
let key = sessionStorage.getItem(KEY_ITEM) || "";
let last = null; // the tokens generated at the last look, for the speed
let turns = []; // the conversation as the API takes it
let asking = null; // the AbortController of the answer under way

function headers(more = {}) {
  return key ? { Authorization: `Bearer ${key}`, ...more } : more;
}

// The server's state

async function look() {
  let health = null;
  try {
    const reply = await fetch("/health", { headers: headers(), cache: "no-store" });
    health = await reply.json();
  } catch {
    health = { status: "unreachable" };
  }
  show(health);
  setTimeout(look, POLL_MS);
}

function show(health) {
  const { status, details } = health;
  if (health.model) $("model").textContent = document.title = health.model;
  $("status").textContent = status;
  $("status").dataset.status = status;
  const locked = status === "ready" && !details;
  $("key-form").hidden = !locked;
  if (!locked) $("key-error").hidden = true;
  $("figures").hidden = !details;
  $("ask").hidden = !details && !asking;
  $("empty").hidden = !details || turns.length > 0;
  $("new").hidden = turns.length === 0;
  notice(health);
  if (details) figures(details);
  else last = null;
}

function notice(health) {
  const says = {
    loading: () => `Loading the model: ${health.progress.stage}`,
    failed: () => `The model could not be loaded. ${health.reason}`,
    unreachable: () => "The server does not answer.",
  }[health.status];
  $("notice").hidden = !says;
  $("notice").dataset.status = health.status;
  $("progress").hidden = health.status !== "loading";
  if (says) $("notice-text").textContent = says();
  if (health.progress) {
    const { share } = health.progress;
    if (share > 0) $("progress").value = share;
    else $("progress").removeAttribute("value");
  }
}

function figures(details) {
  const now = performance.now();
  if (last) {
    const speed = ((details.generated_tokens - last.tokens) * 1000) / (now - last.at);
    $("speed").textContent = `${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s`;
  }
  last = { tokens: details.generated_tokens, at: now };
  const waiting = details.waiting ? `, ${details.waiting} waiting` : "";
  $("requests").textContent = `${details.running} running${waiting}`;
  const used = details.kv_blocks - details.kv_blocks_free;
  $("cache").textContent = `${Math.round((100 * used) / Math.max(1, details.kv_blocks))} %`;
  $("memory").textContent = size(details.memory_bytes + (details.device_memory_bytes || 0));
  $("context").textContent = `${details.max_model_len.toLocaleString()} tokens`;
  const quantized = details.quantization === "none" ? details.dtype : details.quantization;
  $("device").textContent = `${details.device}, ${quantized}`;
}

function size(bytes) {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

$("key-form").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  key = $("key").value.trim();
  const reply = await fetch("/v1/models", { headers: headers() });
  $("key-error").hidden = reply.ok;
  if (reply.ok) {
    sessionStorage.setItem(KEY_ITEM, key);
    $("key").value = "";
  } else {
    key = "";
  }
});

// The chat

function addTurn(role) {
  const item = document.createElement("li");
  item.className = `turn ${role}`;
  const text = document.createElement("p");
  text.className = "text";
  item.append(text);
  $("turns").append(item);
  $("empty").hidden = true;
  return item;
}

function addReasoning(item, piece) {
  let details = item.querySelector("details");
  if (!details) {
    details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "Reasoning";
    const text = document.createElement("p");
    text.className = "text";
    details.append(summary, text);
    item.prepend(details);
  }
  details.querySelector(".text").append(piece);
}

function foot(item, text, isError = false) {
  const line = document.createElement("p");
  line.className = isError ? "error" : "foot";
  line.textContent = text;
  item.append(line);
}

async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ") || part === "data: [DONE]") continue;
      const event = JSON.parse(part.slice(6));
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
  }
}

async function answer(item) {
  const started = performance.now();
  let first = null;
  const reply = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: headers({ "Content-Type": "application/json" }),
    body: JSON.stringify({ messages: turns, stream: true, stream_options: { include_usage: true } }),
    signal: asking.signal,
  });
  if (!reply.ok) throw new Error((await reply.json()).error.message);
  const text = item.querySelector(":scope > .text");
  for await (const event of events(reply)) {
    const delta = event.choices[0]?.delta ?? {};
    if (delta.content || delta.reasoning_content) first ??= performance.now();
    if (delta.reasoning_content) addReasoning(item, delta.reasoning_content);
    if (delta.content) text.append(delta.content);
    if (event.usage) foot(item, told(event.usage, started, first));
    keepInView();
  }
}

function told(usage, started, first) {
  const count = usage.completion_tokens;
  const parts = [`${count} tokens`];
  if (first !== null) {
    const seconds = (performance.now() - first) / 1000;
    if (count > 1 && seconds > 0) parts.push(`${((count - 1) / seconds).toFixed(1)} tokens/s`);
    parts.push(`first after ${((first - started) / 1000).toFixed(2)} s`);
  }
  return parts.join(" · ");
}

function keepInView() {
  const page = document.documentElement;
  const fromEnd = page.scrollHeight - page.scrollTop - page.clientHeight;
  if (fromEnd < 200) page.scrollTop = page.scrollHeight;
}

$("ask").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const question = $("question").value.trim();
  if (!question || asking) return;
  $("question").value = "";
  grow();
  const conversation = turns;
  conversation.push({ role: "user", content: question });
  addTurn("user").querySelector(".text").textContent = question;
  const item = addTurn("assistant");
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
  item.classList.add("busy");
  asking = new AbortController();
  $("send").hidden = true;
  $("stop").hidden = false;
  try {
    await answer(item);
  } catch (error) {
    if (error.name === "AbortError") foot(item, "Stopped");
    else foot(item, error.message, true);
  }
  asking = null;
  item.classList.remove("busy");
  const said = item.querySelector(":scope > .text").textContent;
  if (said) conversation.push({ role: "assistant", content: said });
  else conversation.pop();
  $("send").hidden = false;
  $("stop").hidden = true;
  keepInView();
});

$("stop").addEventListener("click", () => asking?.abort());

$("new").addEventListener("click", () => {
  asking?.abort();
  turns = [];
  $("turns").replaceChildren();
  $("question").focus();
});

function grow() {
  const box = $("question");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

$("question").addEventListener("input", grow);
$("question").addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && !pressed.shiftKey && !pressed.isComposing) {
    pressed.preventDefault();
    $("ask").requestSubmit();
  }
});

look();
