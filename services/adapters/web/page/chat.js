// The web chat's page: shows a session's lines and sends what is typed. A line that is sent keeps its id through every
// try, so it is said once however often the network fails.

import { follow } from "./events.js";

const TRY_MS_MAX = 8_000;
const NEAR_PX = 80;

const bot = document.querySelector("meta[name=bot]").content;
const log = document.getElementById("log");
const state = document.getElementById("state");
const form = document.getElementById("say");
const input = document.getElementById("text");

const wanted = new URLSearchParams(location.search).get("session") ?? "";
const session = /^[A-Za-z0-9_-]{1,64}$/.test(wanted) ? wanted : "lobby";
const headers = authorization();

/** ref -> the element of that line. */
const lines = new Map();
/** Ids of lines and edits that were shown. */
const shown = new Set();
const mine = new Set();
const said = [];
let recalled = 0;
/** Whether the newest line is to stay in sight: until somebody scrolls up to read. */
let following = true;

document.getElementById("room").textContent = `web:${session}`;
document.title = `${bot} · ${session}`;

follow({ url: `/chat/${session}/events`, headers, onEvent: take, onState: tell });

log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
});
// A phone's keyboard takes half of the height away.
new ResizeObserver(keepUp).observe(log);

function keepUp() {
  if (following) log.scrollTop = log.scrollHeight;
}

/** The token comes behind the #, which browsers do not send; it is taken out of sight and kept for this tab. */
function authorization() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    sessionStorage.setItem("token", token);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const kept = sessionStorage.getItem("token");
  return kept ? { authorization: `Bearer ${kept}` } : {};
}

function tell(now, detail) {
  const words = { connected: "connected", away: "reconnecting…", refused: detail };
  state.dataset.state = now;
  if (state.textContent !== words[now]) state.textContent = words[now];
}

function take(type, data) {
  if (type === "reset") return gap();
  if (type !== "message") return;
  const line = JSON.parse(data);
  if (shown.has(line.id)) return;
  shown.add(line.id);
  show(line);
}

function gap() {
  if (lines.size === 0) return;
  const item = document.createElement("li");
  item.className = "gap";
  item.textContent = "Some lines may be missing here.";
  log.append(item);
}

function show(line) {
  const known = lines.get(line.ref);
  const item = known ?? newLine(line);
  item.classList.remove("sending", "failed");
  if (mine.has(line.ref)) item.classList.add("mine");
  else if (line.from === bot) item.classList.add("bot");
  item.querySelector(".from").textContent = line.from;
  const time = item.querySelector("time");
  time.dateTime = line.at;
  time.textContent = new Date(line.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.querySelector(".note").textContent = line.edited ? "edited" : "";
  setText(item.querySelector(".text"), line.text);
  if (!known) {
    lines.set(line.ref, item);
    log.append(item);
  }
  keepUp();
  return item;
}

function newLine() {
  const item = document.createElement("li");
  item.className = "line";
  const head = document.createElement("div");
  head.className = "head";
  head.append(element("span", "from"), document.createElement("time"), element("span", "note"));
  item.append(head, element("div", "text"));
  return item;
}

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

/** Addresses become links; everything else stays text. */
function setText(target, text) {
  const parts = text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}])/);
  target.replaceChildren(
    ...parts.map((part, index) => {
      if (index % 2 === 0) return document.createTextNode(part);
      const link = document.createElement("a");
      link.href = part;
      link.rel = "noopener noreferrer nofollow";
      link.target = "_blank";
      link.textContent = part;
      return link;
    }),
  );
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value;
  if (text.trim() === "") return;
  input.value = "";
  said.push(text);
  recalled = said.length;
  void send({ id: uuid(), text });
  input.focus();
});

input.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") recall(event);
});

/** In an empty field, or while going through them, the arrows bring back what was said before. */
function recall(event) {
  if (input.value !== "" && input.value !== said[recalled]) return;
  const next = recalled + (event.key === "ArrowUp" ? -1 : 1);
  if (next < 0 || next > said.length) return;
  event.preventDefault();
  recalled = next;
  input.value = said[recalled] ?? "";
}

async function send({ id, text }) {
  mine.add(id);
  const item = show({ id, ref: id, from: "you", text, at: new Date().toISOString() });
  item.classList.add("sending");
  for (let wait = 300; ; wait = Math.min(wait * 2, TRY_MS_MAX)) {
    const answer = await post({ id, text });
    if (answer.done) return item.classList.remove("sending");
    if (answer.refused) return fail(item, text, answer.refused);
    await new Promise((resolve) => setTimeout(resolve, wait / 2 + (Math.random() * wait) / 2));
  }
}

/** Refused: it makes no sense to try again. Neither done nor refused: it does. */
async function post(body) {
  try {
    const response = await fetch(`/chat/${session}/messages`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.status === 202) return { done: true };
    if (response.status >= 500 || response.status === 429) return {};
    const said = await response.json().catch(() => undefined);
    return { refused: said?.error?.message ?? `status ${response.status}` };
  } catch {
    return {};
  }
}

function fail(item, text, reason) {
  item.classList.replace("sending", "failed");
  item.querySelector(".note").textContent = `not sent: ${reason}`;
  if (input.value === "") input.value = text;
}

/** `crypto.randomUUID` exists only where the page came by TLS or from this machine. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
