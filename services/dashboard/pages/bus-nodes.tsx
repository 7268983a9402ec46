// The processes that have a bus, the ones that stand worst first: a row each, however many streams they hold.

import type { JSX } from "preact";
import type { BusNode, BusView } from "../../admin/api-bot.ts";
import { count, duration } from "../format.ts";
import { hrefOf } from "../link.ts";
import { Badge, Panel } from "../parts.tsx";
import { Table } from "../table.tsx";
import { Time, useNow } from "../time.tsx";
import { type Lately, lagOf, lagText, totalOf } from "./bus-figures.ts";

/** They tell every five seconds. */
const SILENT_MS = 12_000;

interface NodesProps {
  readonly view: BusView;
  readonly nodes: readonly BusNode[];
  readonly lately: Lately;
}

export function Nodes({ view, nodes, lately }: NodesProps): JSX.Element {
  const lateness = (node: BusNode): number => {
    const ms = lagOf((lately.of(node) ?? node).lag, 0.99);
    return ms === null ? Number.POSITIVE_INFINITY : (ms ?? 0);
  };
  const rows = nodes.toSorted(
    (a, b) =>
      Number(b.away) - Number(a.away) || lateness(b) - lateness(a) || b.streams - a.streams || (a.pod < b.pod ? -1 : 1),
  );
  const told = view.total > view.nodes.length ? `${view.nodes.length} of ${view.total}` : undefined;
  return (
    <Panel title="Nodes" more={told === undefined ? undefined : <span class="note">{told}</span>}>
      <Table
        label="Nodes"
        rows={rows}
        keyOf={({ id }) => id}
        empty="No node"
        columns={[
          { name: "Node", kind: "fill", cell: (node) => <Name node={node} /> },
          { name: "Streams", kind: "number", cell: ({ streams }) => count(streams) },
          { name: "Channels", kind: "wide number", cell: ({ channelCount }) => count(channelCount) },
          { name: "Lag", kind: "number", cell: (node) => lagText((lately.of(node) ?? node).lag, 0.99) ?? "–" },
          { name: "Waiting", kind: "number", cell: ({ waiting }) => count(waiting) },
          { name: "Refused", kind: "wide number", cell: ({ refused }) => count(totalOf(refused)) },
          { name: "Gaps", kind: "wide number", cell: ({ gaps }) => count(gaps) },
          { name: "Up for", kind: "wide number", cell: ({ upSeconds }) => duration(upSeconds * 1000) },
          { name: "Version", kind: "wide", cell: ({ version }) => version },
          { name: "Told", kind: "number", cell: ({ at }) => <Told at={at} /> },
        ]}
      />
    </Panel>
  );
}

function Name({ node: { id, pod, away } }: { node: BusNode }): JSX.Element {
  return (
    <>
      <a class="clip" href={hrefOf(["bus"], { node: id })} title={pod} data-row>
        {pod}
      </a>{" "}
      {away && <Badge tone="bad">Redis is away</Badge>}
    </>
  );
}

function Told({ at }: { at: string }): JSX.Element {
  const isSilent = useNow() - Date.parse(at) > SILENT_MS;
  return (
    <span class={isSilent ? "warn-text" : ""}>
      <Time at={at} />
    </span>
  );
}
