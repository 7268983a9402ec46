// Hubot as the peer: the same webhooks, the same `ping`, over HTTP and from the same fake chat service. Plain JavaScript,
// because its package has no types and is installed for benchmarks alone.

import { connect } from "node:net";
import { Adapter, Robot, TextMessage, User } from "hubot";
import { TallyClient } from "./tally-client.ts";

const BURN_MS = 20;

class Chat extends Adapter {
  #streams = new Map();
  #socket;
  #sent = 0;

  async send({ room }, ...texts) {
    for (const text of texts) {
      const id = `a${++this.#sent}`;
      if (room.startsWith("web:")) this.#show(room, { id, ref: id, from: this.robot.name, text });
      else this.#tell({ t: "do", n: this.#sent, action: { id, unit: "fake", room, op: "send", text } });
    }
  }

  async reply(envelope, ...texts) {
    await this.send(envelope, ...texts);
  }

  async run() {
    this.#serveWeb(this.robot.router);
    if (process.env.FAKE_PORT) await this.#joinChat(Number(process.env.FAKE_PORT));
    this.emit("connected");
  }

  #hear(room, user, text, id) {
    void this.receive(new TextMessage(new User(user, { room, name: user }), text, id));
  }

  #serveWeb(router) {
    router.get("/chat/:session/events", (request, response) => {
      const room = `web:${request.params.session}`;
      const streams = this.#streams.get(room) ?? new Set();
      this.#streams.set(room, streams.add(response));
      response.on("close", () => streams.delete(response));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("retry: 1000\n\n");
    });
    router.post("/chat/:session/messages", (request, response) => {
      const { id, text } = request.body;
      response.status(202).json({ id });
      this.#hear(`web:${request.params.session}`, "guest", text, id);
    });
  }

  #show(room, line) {
    for (const stream of this.#streams.get(room) ?? []) {
      stream.write(`event: message\ndata: ${JSON.stringify(line)}\n\n`);
    }
  }

  #joinChat(port) {
    return new Promise((resolve) => {
      let rest = "";
      this.#socket = connect(port, "127.0.0.1").setNoDelay(true).setEncoding("utf8");
      this.#socket.on("data", (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const { t, event } = JSON.parse(line);
          if (t === "ready") resolve();
          else if (t === "event" && event.type === "said" && event.user.id !== "bot") {
            this.#hear(event.room, event.user.id, event.text, event.id);
          }
        }
      });
      this.#tell({ t: "hello", client: "hubot", after: 0 });
    });
  }

  #tell(message) {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }
}

function burn() {
  const until = performance.now() + BURN_MS;
  while (performance.now() < until);
}

const tally = new TallyClient(Number(process.env.BENCH_TALLY));
const robot = new Robot({ use: (owner) => new Chat(owner) }, true, "antiphon");
await robot.loadAdapter();
robot.respond(/ping$/i, (response) => response.send("pong"));
await robot.run();
for (const [path, work] of [
  ["/hooks/flood", () => {}],
  ["/hooks/burn", burn],
]) {
  robot.router.post(path, (request, response) => {
    const id = request.headers["x-github-delivery"];
    work();
    tally.handled(id);
    response.status(202).json({ id });
  });
}
console.log(`hubot is ready on ${robot.server.address().port}`);
