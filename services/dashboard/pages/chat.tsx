// Chat: who holds which connection, how it is, and what waits to be said in which room.

import type { JSX } from "preact";
import type { ChatUnit } from "../../admin/api-bot.ts";
import { useFetched } from "../fetched.ts";
import { count, duration } from "../format.ts";
import { hrefOf } from "../link.ts";
import { Badge, Empty, Loaded, Panel, type Tone } from "../parts.tsx";
import { Table } from "../table.tsx";
import { Since, Time } from "../time.tsx";

const TONES: Readonly<Record<string, Tone>> = {
  ready: "good",
  connecting: "accent",
  degraded: "warn",
  failed: "bad",
  evicted: "bad",
};

export function Chat(): JSX.Element {
  const fetched = useFetched<{ units: ChatUnit[] } | { items: ChatUnit[] }>("chat");
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Chat</h1>
      </header>
      <Loaded of={fetched}>
        {(data) => {
          const units = "units" in data ? data.units : data.items;
          return units.length === 0 ? (
            <Empty title="No chat connection">
              The web chat needs none; other adapters are named in ANTIPHON_ADAPTERS.
            </Empty>
          ) : (
            <>
              {units.map((unit) => (
                <Unit key={unit.unit} unit={unit} />
              ))}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Unit({ unit }: { unit: ChatUnit }): JSX.Element {
  const { waiting, claimed, delayed, dead } = unit.outbox;
  const outbox = `outbox/${unit.unit}`;
  return (
    <Panel title={unit.unit} more={<Badge tone={TONES[unit.state] ?? "plain"}>{unit.state}</Badge>}>
      <div class="columns">
        <UnitFacts unit={unit} />
        <div>
          <p class="row note">
            <a href={hrefOf(["queues", outbox])}>Outbox</a>: {count(waiting)} waiting, {count(claimed)} being said,{" "}
            {count(delayed)} later, {count(dead)} dead
          </p>
          <Table
            label={`Rooms of ${unit.unit} with Actions waiting`}
            rows={unit.rooms}
            keyOf={({ room }) => room}
            empty="Nothing waits to be said"
            columns={[
              {
                name: "Room",
                kind: "fill",
                cell: ({ room }) => (
                  <span class="clip" title={room}>
                    {room}
                  </span>
                ),
              },
              { name: "Waiting", kind: "number", cell: (room) => count(room.waiting) },
              {
                name: "Rate limit",
                cell: ({ until }) =>
                  until === undefined ? (
                    "–"
                  ) : (
                    <>
                      until <Time at={until} />
                    </>
                  ),
              },
            ]}
          />
        </div>
      </div>
    </Panel>
  );
}

function UnitFacts({ unit }: { unit: ChatUnit }): JSX.Element {
  return (
    <dl class="facts">
      <dt>Adapter</dt>
      <dd>{unit.adapter}</dd>
      <dt>Leader</dt>
      <dd>{unit.leader ?? <Badge tone="bad">nobody</Badge>}</dd>
      <dt>Led for</dt>
      <dd>{unit.heldForMs === null ? "–" : duration(unit.heldForMs)}</dd>
      <dt>Epoch</dt>
      <dd>{unit.epoch ?? "–"}</dd>
      <dt>State</dt>
      <dd>
        {unit.detail === "" ? unit.state : unit.detail}{" "}
        {unit.stateAt !== undefined && (
          <span class="muted">
            (<Since at={unit.stateAt} />)
          </span>
        )}
      </dd>
      <dt>Changes of leader</dt>
      <dd>
        {unit.handovers} handed over, {unit.expiries} expired
      </dd>
      <dt>Last gap</dt>
      <dd>{unit.vacantMs === undefined ? "–" : `nobody led for ${duration(unit.vacantMs)}`}</dd>
      <dt>Fenced writes</dt>
      <dd>{unit.fencedWrites}</dd>
      <dt>In doubt</dt>
      <dd>
        {unit.inDoubt} now, {unit.doubts} ever
      </dd>
    </dl>
  );
}
