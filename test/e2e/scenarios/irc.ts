// The bot on an IRC server in the cluster, asked without a pause while everything is upgraded.

import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { quantile } from "../../bench/statistics.ts";
import { IrcPerson } from "../../support/irc-person.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster } from "../support/cluster.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { openPort, RESTRICTED } from "../support/redis.ts";
import type { Release } from "../support/release.ts";
import { changesOf, notOnce } from "../support/watch-seats.ts";

const IMAGE = process.env["E2E_NGIRCD_IMAGE"] ?? "antiphon-ngircd:test";
const ROOM = "#ops";
const READY_MS = 90_000;
const EACH_MS = 200;
const UNIT = "irc";
const USER = 1000;

/** Of the chart. */
export const IRC_VALUES = {
  adapters: {
    irc: {
      enabled: true,
      config: { host: "ngircd", port: 6667, tls: false, nick: "antiphon", channels: [ROOM], burst: 50, lineMs: 20 },
    },
  },
};

export async function startNgircd(cluster: Cluster, namespace: string): Promise<void> {
  const labels = { app: "ngircd" };
  const container = {
    name: "ngircd",
    image: IMAGE,
    imagePullPolicy: "IfNotPresent",
    securityContext: RESTRICTED,
    readinessProbe: { tcpSocket: { port: 6667 }, periodSeconds: 1 },
  };
  await cluster.apply(
    namespace,
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "ngircd" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { automountServiceAccountToken: false, securityContext: { runAsUser: USER }, containers: [container] },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "ngircd" },
      spec: { selector: labels, ports: [{ port: 6667 }] },
    },
  );
}

export async function ircThroughUpgrade(release: Release): Promise<Finding> {
  const { cluster, namespace, pods } = release;
  await waitFor(() => pods.ready("ngircd").length > 0, { timeoutMs: READY_MS, what: "ngircd is ready" });
  const port = await openPort(cluster, namespace, { name: "e2e-irc", selector: { app: "ngircd" }, port: 6667 });
  await waitFor(() => accepts(cluster.host, port), { timeoutMs: READY_MS, what: "the way to ngircd is open" });
  const person = await IrcPerson.join({ host: cluster.host, port }, "ann", ROOM);
  try {
    await talk(person);
    const before = await release.seats();
    const asked = new Map<string, number>();
    const chat = new AbortController();
    const asking = ask(person, asked, chat.signal);
    await pause(3_000);
    await release.roll(String(Date.now()));
    await pause(3_000);
    chat.abort();
    await asking;
    await pause(2_000);
    return findingOf(person, asked, changesOf(before, await release.seats()));
  } finally {
    await person.leave();
  }
}

/** A NodePort takes a moment after its Service is made. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Until it answers. */
async function talk(person: IrcPerson): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    person.say("antiphon: echo e0");
    await pause(EACH_MS);
    return answers(person).includes("e0");
  };
  await waitFor(isThere, { timeoutMs: READY_MS, what: "the bot answers" });
}

async function ask(person: IrcPerson, asked: Map<string, number>, signal: AbortSignal): Promise<void> {
  for (let number = 1; !signal.aborted; number++) {
    asked.set(`e${number}`, performance.now());
    person.say(`antiphon: echo e${number}`);
    await pause(EACH_MS);
  }
}

function answers(person: IrcPerson): string[] {
  return person.texts(/^antiphon/, ROOM).map((text) => /\be\d+\b/.exec(text)?.[0] ?? "");
}

function findingOf(
  person: IrcPerson,
  asked: ReadonlyMap<string, number>,
  changes: ReturnType<typeof changesOf>,
): Finding {
  const heard = person.said.filter(({ nick, target }) => nick.startsWith("antiphon") && target === ROOM);
  const at = new Map(heard.map(({ text, at }) => [/\be\d+\b/.exec(text)?.[0] ?? "", at]));
  const waits = [...asked].flatMap(([id, from]) => (at.has(id) ? [(at.get(id) ?? 0) - from] : []));
  const times = heard.map((one) => one.at).toSorted((a, b) => a - b);
  const silence = Math.max(...times.slice(1).map((one, index) => one - (times[index] ?? one)));
  const twice = answers(person).filter((id, index, all) => all.indexOf(id) !== index && id !== "e0").length;
  const own = changes.filter(({ unit }) => unit === UNIT || unit === "control");
  const missed = asked.size - waits.length;
  return {
    name: "irc",
    conditions: [
      `Debian's ngircd as a pod: plain IRC, which repeats nothing; a question each ${EACH_MS} ms, ${asked.size} in all; \`helm upgrade\` of 2 masters and 2 workers meanwhile`,
    ],
    rows: [
      ...own.map(({ unit, handovers }) => count(`handovers of ${unit}`, handovers, { is: 1 })),
      count("questions", asked.size),
      count("questions that nobody heard, because nobody was in the channel", missed),
      count("answers given twice", twice, { is: 0 }),
      time("longest silence in the channel", silence),
      time("question → answer, p50", quantile(waits, 0.5)),
      time("question → answer, p99", quantile(waits, 0.99)),
    ],
    problems: [
      ...notOnce(own),
      ...(twice === 0 ? [] : [`${twice} answers were given twice`]),
      ...(silence < 5_000 ? [] : [`the channel was silent for ${silence} ms`]),
    ],
  };
}
