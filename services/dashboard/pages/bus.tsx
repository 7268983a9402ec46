// The bus: who reads what, over which face, how long a message takes to the reader, and at which process it goes badly.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { BusNode, BusView } from "../../admin/api-bot.ts";
import { useFetched } from "../fetched.ts";
import { count, duration, many, rate } from "../format.ts";
import { hrefOf, type PageProps } from "../link.ts";
import { Empty, Figure, Loaded, Panel } from "../parts.tsx";
import { Table } from "../table.tsx";
import {
  boundText,
  type Counts,
  channelsOf,
  type Grown,
  grownOf,
  heldOf,
  Lately,
  lagText,
  messagesOf,
  totalOf,
} from "./bus-figures.ts";
import { Nodes } from "./bus-nodes.tsx";

export function BusPage({ place }: PageProps): JSX.Element {
  const fetched = useFetched<BusView>("bus");
  const lately = useRef(new Lately()).current;
  lately.hear(fetched.data?.nodes ?? []);
  const chosen = place.query["node"];
  return (
    <>
      <header class="head">
        {chosen !== undefined && (
          <p class="crumb">
            <a href={hrefOf(["bus"])}>All nodes</a>
          </p>
        )}
        <h1 tabIndex={-1}>Bus</h1>
        {chosen !== undefined && <p class="note">at {nameOf(fetched.data, chosen)}</p>}
      </header>
      <Loaded of={fetched}>
        {(view) => {
          const nodes = chosen === undefined ? view.nodes : view.nodes.filter(({ id }) => id === chosen);
          return nodes.length === 0 ? <Nobody chosen={chosen} /> : <Shown view={view} nodes={nodes} lately={lately} />;
        }}
      </Loaded>
    </>
  );
}

function nameOf(view: BusView | undefined, id: string): string {
  return view?.nodes.find((node) => node.id === id)?.pod ?? "a process that is gone";
}

function Nobody({ chosen }: { chosen: string | undefined }): JSX.Element {
  if (chosen !== undefined)
    return <Empty title="This process says nothing any more">It ended, or nobody reads there.</Empty>;
  return <Empty title="No process says how its bus is">They say so every few seconds while somebody reads.</Empty>;
}

interface ShownProps {
  readonly view: BusView;
  readonly nodes: readonly BusNode[];
  readonly lately: Lately;
}

function Shown({ view, nodes, lately }: ShownProps): JSX.Element {
  const told = nodes.flatMap((node) => lately.of(node) ?? []);
  const ever = grownOf(nodes);
  // Until they have told twice there is nothing but what has been since they began.
  const recent = told.length === 0 ? ever : grownOf(told);
  const ms = Math.max(0, ...told.map((one) => one.ms));
  const when = told.length === 0 ? "since they began" : `in the last ${duration(ms)}`;
  return (
    <>
      <Figures nodes={nodes} ever={ever} recent={recent} ms={ms} />
      <div class="columns">
        <Panel title="Streams by face">
          <Bars label="Streams by face" of={heldOf(nodes).byFace} names={FACES} none="Nobody reads" />
        </Panel>
        <Panel title="From publish to the reader" more={<span class="note">{when}</span>}>
          <Lag lag={recent.lag} />
        </Panel>
        <Panel title="Refused, by limit" more={<span class="note">since they began</span>}>
          <Bars label="Refused" of={ever.refused} names={{}} none="Nothing was refused" />
        </Panel>
        <Panel title="Streams that ended" more={<span class="note">since they began</span>}>
          <Bars label="Streams that ended" of={ever.closed} names={ENDS} none="None has ended" />
        </Panel>
      </div>
      <Nodes view={view} nodes={nodes} lately={lately} />
      <Channels nodes={nodes} />
    </>
  );
}

interface FiguresProps {
  readonly nodes: readonly BusNode[];
  readonly ever: Grown;
  readonly recent: Grown;
  /** How long `recent` is; 0: since they began. */
  readonly ms: number;
}

function Figures({ nodes, ever, recent, ms }: FiguresProps): JSX.Element {
  const { streams, connections, waiting, away } = heldOf(nodes);
  const [refused, gaps] = [totalOf(recent.refused), recent.gaps];
  const inAll = (all: number): string => (ms === 0 ? "since they began" : `${count(all)} in all`);
  const [typical, late] = [lagText(recent.lag, 0.5), lagText(recent.lag, 0.99)];
  return (
    <section class="figures" aria-label="Figures">
      <Figure
        name="Nodes"
        value={String(nodes.length)}
        note={away === 0 ? "processes" : `${away} without Redis`}
        tone={away === 0 ? "plain" : "bad"}
      />
      <Figure name="Streams" value={count(streams)} note="all that read" />
      <Figure name="Connections" value={count(connections)} note="over HTTP" />
      <Figure name="Lag, 99 %" value={late ?? "–"} note={late === undefined ? "nothing read" : `half ${typical}`} />
      <Figure name="Waiting" value={count(waiting)} note="not stored yet" tone={waiting > 1000 ? "warn" : "plain"} />
      <Figure
        name="Published"
        value={ms === 0 ? count(ever.published) : rate((recent.published * 1000) / ms)}
        note="not by handlers"
      />
      <Figure
        name="Refused"
        value={count(refused)}
        note={inAll(totalOf(ever.refused))}
        tone={refused > 0 && ms > 0 ? "warn" : "plain"}
      />
      <Figure name="Gaps" value={count(gaps)} note={inAll(ever.gaps)} tone={gaps > 0 && ms > 0 ? "warn" : "plain"} />
    </section>
  );
}

const FACES: Readonly<Record<string, string>> = {
  stream: "streamed poll",
  poll: "long poll",
  sse: "server-sent events",
  json: "JSON",
  websocket: "WebSocket",
  page: "web chat",
  inside: "functions inside",
};
const ENDS: Readonly<Record<string, string>> = {
  left: "the reader left",
  ended: "its time was over",
  slow: "the reader was too slow",
  revoked: "access was withdrawn",
};

interface BarsProps {
  readonly label: string;
  readonly of: Counts;
  readonly names: Readonly<Record<string, string>>;
  readonly none: string;
}

/** The most first. */
function Bars({ label, of, names, none }: BarsProps): JSX.Element {
  const entries = Object.entries(of).filter(([, value]) => value > 0);
  if (entries.length === 0) return <Empty title={none} />;
  const rows = entries.sort(([, a], [, b]) => b - a).map(([name, value]) => ({ name: names[name] ?? name, value }));
  return <Meters label={label} rows={rows} one="stream" />;
}

/** How many messages took how long from publish to the reader's socket. What is beyond the slowest of them is left out. */
function Lag({ lag }: { lag: Grown["lag"] }): JSX.Element {
  const last = lag.findLastIndex(({ messages }) => messages > 0);
  if (messagesOf(lag) === 0) return <Empty title="Nothing was read" />;
  const rows = lag
    .slice(0, last + 1)
    .map(({ upToMs, messages }) => ({ name: boundText(upToMs, lag), value: messages }));
  return <Meters label="From publish to the reader" rows={rows} one="message" />;
}

interface MetersProps {
  readonly label: string;
  readonly rows: readonly { readonly name: string; readonly value: number }[];
  readonly one: string;
}

function Meters({ label, rows, one }: MetersProps): JSX.Element {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  return (
    <ul class="bars" aria-label={label}>
      {rows.map(({ name, value }) => (
        <li key={name}>
          <span>{name}</span>
          <meter min={0} max={most} value={value} aria-label={many(value, one)} />
          <span class="number">{count(value)}</span>
        </li>
      ))}
    </ul>
  );
}

const CHANNELS_MAX = 20;

function Channels({ nodes }: { nodes: readonly BusNode[] }): JSX.Element {
  const most = Math.max(0, ...nodes.map(({ channelCount }) => channelCount));
  const rows = channelsOf(nodes, CHANNELS_MAX);
  const isCut = most > rows.length;
  return (
    <Panel
      title="Channels with most readers"
      more={
        isCut ? (
          <span class="note">{`${rows.length} of ${nodes.length > 1 ? "at least " : ""}${count(most)}`}</span>
        ) : undefined
      }
    >
      <Table
        label="Channels with most readers"
        rows={rows}
        keyOf={({ channel }) => channel}
        empty="No channel is read"
        columns={[
          {
            name: "Channel",
            kind: "fill",
            cell: ({ channel }) => (
              <span class="mono clip" title={channel}>
                {channel}
              </span>
            ),
          },
          { name: "Readers", kind: "number", cell: ({ readers }) => count(readers) },
          { name: "Nodes", kind: "number", cell: ({ nodes: at }) => at },
        ]}
      />
    </Panel>
  );
}
