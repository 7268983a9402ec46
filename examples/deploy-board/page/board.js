// The deploy board: shows each deploy as it was last told of, and fills itself with what the channel keeps.

const STEPS = 3;
const KEPT = 50;

const server = new URLSearchParams(location.search).get("bus") ?? "http://127.0.0.1:8080/";
const { Bus } = await import(new URL("bus/client.mjs", server).href);
const bus = new Bus({ baseUrl: server });

const board = document.querySelector(".board");
const rows = new Map();

function show({ id, app, env, by, step, done, startedAt }) {
  const row = rows.get(id) ?? add(id);
  row.dataset.step = step;
  row.querySelector(".app").textContent = app;
  row.querySelector(".env").textContent = env;
  row.querySelector(".by").textContent = by;
  row.querySelector(".step").textContent = step;
  row.querySelector("time").textContent = new Date(startedAt).toLocaleTimeString([], { timeStyle: "short" });
  row.querySelector("progress").value = done;
}

function add(id) {
  const row = document.createElement("li");
  row.innerHTML = `<span class="app"></span><span class="env"></span><progress max="${STEPS}"></progress>
    <span class="step"></span><span class="by"></span><time></time>`;
  row.querySelector("progress").setAttribute("aria-label", "steps done");
  rows.set(id, row);
  board.prepend(row);
  document.querySelector(".empty").hidden = true;
  return row;
}

bus.on("state", ({ state }) => {
  document.querySelector(".state").textContent = state === "connected" ? "live" : state;
});
bus.on("gap", () => (document.querySelector(".gap").hidden = false));
bus.subscribe("/deploys", show, -1 - KEPT);
