// Now: whether the bot is well, in one look.

import type { JSX } from "preact";
import type { Snapshot } from "../../admin/api.ts";
import { Charts } from "../charts.tsx";
import { useFetched } from "../fetched.ts";
import { bytes, count, duration, many, rate } from "../format.ts";
import { hrefOf } from "../link.ts";
import { snapshots, STALE_MS } from "../live.ts";
import { Badge, Empty, Figure, JobLink, Loaded, Panel, QueueLink, RouteLink, WorkerLink } from "../parts.tsx";
import { useStore } from "../store.ts";
import { Table } from "../table.tsx";
import { Since, Time, useNow } from "../time.tsx";

/** Something is late. */
const LATE_MS = 30_000;

export function Now(): JSX.Element {
  const past = useStore(snapshots);
  const latest = past.at(-1);
  // Before the first word of the bus, and where nobody leads `control`, the page asks.
  const asked = useFetched<Snapshot>(latest === undefined ? "now" : undefined);
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Now</h1>
        {latest && <Freshness at={latest.at} />}
      </header>
      {latest ? (
        <Shown now={latest} past={past} />
      ) : (
        <Loaded of={asked}>{(now) => <Shown now={now} past={[now]} />}</Loaded>
      )}
    </>
  );
}

function Freshness({ at }: { at: string }): JSX.Element {
  const nowMs = useNow();
  const isOld = nowMs - Date.parse(at) > STALE_MS;
  return (
    <p class={isOld ? "note warn-text" : "note"}>
      {isOld ? "not up to date: " : "as of "}
      <Time at={at} clock />
    </p>
  );
}

interface ShownProps {
  readonly now: Snapshot;
  readonly past: readonly Snapshot[];
}

function Shown({ now, past }: ShownProps): JSX.Element {
  return (
    <>
      <Figures now={now} />
      <Charts past={past} rows={past.map((snapshot) => snapshot.totals)} />
      <div class="columns">
        <Panel title="Queues" more={<a href={hrefOf(["queues"])}>All</a>}>
          <Busiest now={now} />
        </Panel>
        <Panel title="Latest errors" more={<a href={hrefOf(["jobs"], { state: "dead" })}>Dead jobs</a>}>
          <Errors now={now} />
        </Panel>
        <Panel title="Workers" more={<a href={hrefOf(["workers"])}>All</a>}>
          <Pools now={now} />
        </Panel>
        <Panel title="Leaders" more={<a href={hrefOf(["chat"])}>Chat</a>}>
          <Leaders now={now} />
        </Panel>
      </div>
    </>
  );
}

function Figures({ now: { totals, workers, pools, redis } }: { now: Snapshot }): JSX.Element {
  const required = pools.reduce((sum, pool) => sum + pool.required, 0);
  const present = pools.reduce((sum, pool) => sum + pool.workers, 0);
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  return (
    <section class="figures" aria-label="Figures">
      <Figure
        name="Waiting"
        value={count(totals.ready)}
        note={`${count(totals.delayed)} due later`}
        href={hrefOf(["jobs"], { state: "waiting" })}
      />
      <Figure
        name="Oldest waiting"
        value={totals.ready === 0 ? "–" : duration(totals.oldestMs)}
        note={totals.ready === 0 ? "nothing waits" : "ready for so long"}
        tone={totals.oldestMs > LATE_MS ? "warn" : "plain"}
        href={hrefOf(["queues"])}
      />
      <Figure
        name="Running"
        value={count(totals.claimed)}
        note={slots === 0 ? "no slots" : `of ${many(slots, "slot")}`}
        href={hrefOf(["jobs"], { state: "claimed" })}
      />
      <Figure
        name="Finished"
        value={rate(totals.finishedPerSecond)}
        note={`${rate(totals.arrivalsPerSecond)} arrive`}
      />
      <Figure
        name="Failed"
        value={rate(totals.failedPerSecond)}
        note={totals.meanRunMs === null ? "nothing ran" : `${duration(totals.meanRunMs)} a run`}
        tone={totals.failedPerSecond > 0 ? "warn" : "plain"}
      />
      <Figure
        name="Dead"
        value={count(totals.dead)}
        note={totals.dead === 0 ? "nothing to mend" : "failed for good"}
        tone={totals.dead > 0 ? "bad" : "plain"}
        href={hrefOf(["jobs"], { state: "dead" })}
      />
      <Figure
        name="Workers"
        value={`${present}`}
        note={`${required} required`}
        tone={present < required ? "warn" : "plain"}
        href={hrefOf(["workers"])}
      />
      <Figure
        name="Redis"
        value={redis.ok ? bytes(redis.usedBytes) : "away"}
        note={redis.version === "" ? redis.detail : `version ${redis.version}`}
        tone={redis.ok ? "plain" : "bad"}
      />
    </section>
  );
}

const SHOWN = 8;

function Busiest({ now }: { now: Snapshot }): JSX.Element {
  const rows = now.queues
    .toSorted((a, b) => b.ready + b.claimed - (a.ready + a.claimed) || b.dead - a.dead)
    .slice(0, SHOWN);
  return (
    <Table
      label="Busiest queues"
      rows={rows}
      keyOf={({ name }) => name}
      empty="No queue yet"
      emptyNote="Queues appear with the first delivery."
      columns={[
        {
          name: "Queue",
          cell: ({ name, paused, workers, ready }) => (
            <>
              <QueueLink name={name} /> {paused && <Badge tone="warn">paused</Badge>}
              {workers === 0 && ready > 0 && <Badge tone="bad">nobody serves it</Badge>}
            </>
          ),
        },
        { name: "Waiting", kind: "number", cell: ({ ready }) => count(ready) },
        { name: "Oldest", kind: "number", cell: ({ ready, oldestMs }) => (ready === 0 ? "–" : duration(oldestMs)) },
        { name: "Finished", kind: "wide number", cell: ({ finishedPerSecond }) => rate(finishedPerSecond) },
        {
          name: "Drained in",
          kind: "wide number",
          cell: ({ drainSeconds }) => (drainSeconds === null ? "never" : duration(drainSeconds * 1000)),
        },
      ]}
    />
  );
}

function Errors({ now }: { now: Snapshot }): JSX.Element {
  if (now.lastErrors.length === 0) return <Empty title="No errors lately" />;
  return (
    <ul class="errors">
      {now.lastErrors.slice(0, SHOWN).map(({ at, id, route, message }) => (
        <li key={`${id} ${at}`}>
          <span class="row">
            <JobLink id={id} short /> <RouteLink id={route} />
            <span class="push note">
              <Time at={at} />
            </span>
          </span>
          <p class="mono clip" title={message}>
            {message.split("\n")[0]}
          </p>
        </li>
      ))}
    </ul>
  );
}

function Pools({ now }: { now: Snapshot }): JSX.Element {
  return (
    <>
      {now.pools.map(({ name, required, workers }) => (
        <p key={name} class="row meter-row">
          <span>
            Pool <b>{name}</b>
          </span>
          <span class={workers < required ? "push warn-text" : "push"}>
            {many(workers, "worker")}, {required} required
          </span>
        </p>
      ))}
      <Table
        label="Workers"
        rows={now.workers.slice(0, SHOWN)}
        keyOf={({ pod }) => pod}
        empty="No worker lives"
        emptyNote="What is enqueued waits until one starts."
        columns={[
          { name: "Worker", cell: ({ pod }) => <WorkerLink pod={pod} /> },
          {
            name: "Slots",
            kind: "fill",
            cell: ({ slots, claimed }) => (
              <span class="row">
                <meter min={0} max={Math.max(1, slots)} value={claimed} aria-label={`${claimed} of ${slots} slots`} />
                {claimed}/{slots}
              </span>
            ),
          },
          { name: "Order", cell: ({ order }) => (order === "" ? null : <Badge tone="warn">{order}</Badge>) },
        ]}
      />
    </>
  );
}

function Leaders({ now }: { now: Snapshot }): JSX.Element {
  const since = (heldForMs: number): string => new Date(Date.parse(now.at) - heldForMs).toISOString();
  return (
    <Table
      label="Units and who leads them"
      rows={now.units}
      keyOf={({ unit }) => unit}
      empty="No unit"
      columns={[
        { name: "Unit", cell: ({ unit }) => unit },
        { name: "Leader", cell: ({ leader }) => leader ?? <Badge tone="bad">nobody</Badge> },
        {
          name: "For",
          kind: "number",
          cell: ({ heldForMs }) => (heldForMs === null ? "–" : <Since at={since(heldForMs)} />),
        },
        { name: "Epoch", kind: "wide number", cell: ({ epoch }) => epoch ?? "–" },
      ]}
    />
  );
}
