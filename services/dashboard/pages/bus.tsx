// The bus: who reads what, over which face, and how long a message takes to the reader.

import type { JSX } from "preact";
import type { BusNode, BusView } from "../../admin/api-bot.ts";
import { useFetched } from "../fetched.ts";
import { count, duration, many } from "../format.ts";
import { Badge, Empty, Figure, Loaded, Panel } from "../parts.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";

export function BusPage(): JSX.Element {
  const fetched = useFetched<BusView>("bus");
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Bus</h1>
      </header>
      <Loaded of={fetched}>
        {({ nodes, total }) =>
          nodes.length === 0 ? (
            <Empty title="No process says how its bus is">They say so every few seconds while somebody reads.</Empty>
          ) : (
            <>
              <Totals nodes={nodes} />
              {total > nodes.length && (
                <p class="note">
                  Of {total} nodes only {nodes.length} are shown.
                </p>
              )}
              {nodes.map((node) => (
                <Node key={node.id} node={node} />
              ))}
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Totals({ nodes }: { nodes: readonly BusNode[] }): JSX.Element {
  const sum = (of: (node: BusNode) => number): number => nodes.reduce((total, node) => total + of(node), 0);
  const all = (of: (node: BusNode) => Readonly<Record<string, number>>): number =>
    sum((node) => Object.values(of(node)).reduce((a, b) => a + b, 0));
  const [messages, lagMs] = [sum(({ lagMs }) => lagMs.messages), sum(({ lagMs }) => lagMs.sum)];
  return (
    <section class="figures" aria-label="Figures">
      <Figure name="Nodes" value={String(nodes.length)} note="processes with a bus" />
      <Figure name="Connections" value={count(sum(({ connections }) => connections))} note="held over HTTP" />
      <Figure name="Streams" value={count(sum(({ streams }) => streams))} note="everything that reads" />
      <Figure
        name="Waiting"
        value={count(sum(({ waiting }) => waiting))}
        note="published, not stored yet"
        tone={sum(({ waiting }) => waiting) > 1000 ? "warn" : "plain"}
      />
      <Figure name="Published" value={count(sum(({ published }) => published))} note="since they started" />
      <Figure
        name="Lag"
        value={messages === 0 ? "–" : duration(lagMs / messages)}
        note={`mean of ${count(messages)} messages`}
      />
      <Figure
        name="Refused"
        value={count(all(({ refused }) => refused))}
        note="by a limit"
        tone={all(({ refused }) => refused) > 0 ? "warn" : "plain"}
      />
      <Figure
        name="Gaps"
        value={count(sum(({ gaps }) => gaps))}
        note="readers not told everything"
        tone={sum(({ gaps }) => gaps) > 0 ? "warn" : "plain"}
      />
    </section>
  );
}

function Node({ node }: { node: BusNode }): JSX.Element {
  return (
    <Panel
      title={node.pod}
      more={
        <span class="note">
          said <Time at={node.at} />
        </span>
      }
    >
      <div class="columns">
        <div>
          <dl class="facts">
            <dt>Streams by face</dt>
            <dd>
              <Counts of={node.byFace} none="none" />
            </dd>
            <dt>Up for</dt>
            <dd>
              {duration(node.upSeconds * 1000)}, version {node.version}
            </dd>
            <dt>Closed</dt>
            <dd>
              <Counts of={node.closed} none="none" />
            </dd>
            <dt>Refused</dt>
            <dd>
              <Counts of={node.refused} none="nothing" />
            </dd>
          </dl>
          <Lag node={node} />
        </div>
        <div>
          {node.channelCount > node.channels.length && (
            <p class="note row">
              Of {count(node.channelCount)} channels the {node.channels.length} with most readers
            </p>
          )}
          <Table
            label={`Channels read at ${node.pod}`}
            rows={node.channels}
            keyOf={({ channel }) => channel}
            empty="No channel is read here"
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
              { name: "Offset", kind: "wide number", cell: ({ offset }) => offset },
            ]}
          />
        </div>
      </div>
    </Panel>
  );
}

function Counts({ of, none }: { of: Readonly<Record<string, number>>; none: string }): JSX.Element {
  const entries = Object.entries(of).filter(([, value]) => value > 0);
  if (entries.length === 0) return <>{none}</>;
  return (
    <>
      {entries.map(([name, value]) => (
        <span key={name} class="item">
          <Badge>
            {name} {count(value)}
          </Badge>
        </span>
      ))}
    </>
  );
}

/** How many messages took how long from publish to the reader's socket. */
function Lag({ node: { lag } }: { node: BusNode }): JSX.Element | null {
  const most = Math.max(1, ...lag.map(({ messages }) => messages));
  if (lag.every(({ messages }) => messages === 0)) return null;
  return (
    <figure class="bars">
      <figcaption>From publish to the reader</figcaption>
      <ul>
        {lag.map(({ upToMs, messages }) => (
          <li key={String(upToMs)}>
            <span>{upToMs === null ? "more" : `≤ ${upToMs} ms`}</span>
            <meter min={0} max={most} value={messages} aria-label={many(messages, "message")} />
            <span class="number">{count(messages)}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}
