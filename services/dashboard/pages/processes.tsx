// Looking into processes, for admins: what a thread spends its time on, what is in its memory, and the support bundle.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { download, part } from "../ask.ts";
import { Form, showDialog } from "../dialog.tsx";
import { useFetched } from "../fetched.ts";
import { bytes, duration } from "../format.ts";
import { Badge, Button, Loaded, Panel } from "../parts.tsx";
import { may, session } from "../session.ts";
import { useStore } from "../store.ts";
import { Table } from "../table.tsx";
import { say } from "../toast.tsx";

interface Process {
  readonly process: string;
  readonly mode: "master" | "worker";
  readonly version: string;
  readonly upSeconds: number;
  readonly rssBytes: number;
  readonly here: boolean;
}

interface Threads {
  readonly threads: readonly { readonly thread: string; readonly title: string }[];
}

const EVERY_MS = 15_000;
const SECONDS = 10;

export function Processes(): JSX.Element | null {
  useStore(session);
  const found = useFetched<{ items: readonly Process[] }>(
    may("admin") ? "diagnostics/processes" : undefined,
    {},
    EVERY_MS,
  );
  if (!may("admin")) return null;
  return (
    <Panel
      title="Look into a process"
      more={
        <Button role="admin" icon="audit" onClick={bundle}>
          Support bundle
        </Button>
      }
    >
      <Loaded of={found}>{({ items }) => <ProcessTable rows={items} />}</Loaded>
    </Panel>
  );
}

function bundle(): void {
  say("The support bundle is being made");
  download("GET", "support-bundle", AbortSignal.timeout(120_000)).then(
    (name) => say(`${name} is there. Errors in it may quote what people wrote: read it before you send it`),
    (error: unknown) => say(error instanceof Error ? error.message : String(error), { isBad: true }),
  );
}

function ProcessTable({ rows }: { rows: readonly Process[] }): JSX.Element {
  return (
    <Table
      label="Processes"
      rows={rows}
      keyOf={({ process }) => process}
      empty="No process answers"
      columns={[
        {
          name: "Process",
          cell: ({ process, mode, here }) => (
            <>
              <span class="mono">{process}</span> <Badge>{mode}</Badge> {here && <Badge>shows this page</Badge>}
            </>
          ),
        },
        { name: "Version", kind: "wide", cell: ({ version }) => version },
        { name: "Memory", kind: "number", cell: ({ rssBytes }) => bytes(rssBytes) },
        { name: "Up for", kind: "wide number", cell: ({ upSeconds }) => duration(upSeconds * 1000) },
        { name: "Actions", kind: "actions", cell: (row) => <ProcessActions row={row} /> },
      ]}
    />
  );
}

function ProcessActions({ row }: { row: Process }): JSX.Element {
  const ask = (what: Look): void => showDialog((close) => <LookForm row={row} what={what} close={close} />);
  return (
    <span class="row end">
      <Button role="admin" label={`CPU profile of ${row.process}`} onClick={() => ask("cpu-profile")}>
        CPU profile
      </Button>
      <Button role="admin" label={`Heap snapshot of ${row.process}`} onClick={() => ask("heap-snapshot")}>
        Heap snapshot
      </Button>
    </span>
  );
}

type Look = "cpu-profile" | "heap-snapshot";

interface LookProps {
  readonly row: Process;
  readonly what: Look;
  readonly close: () => void;
}

function LookForm({ row: { process, mode }, what, close }: LookProps): JSX.Element {
  const threads = useFetched<Threads>("diagnostics/threads", { process }, 3_600_000);
  const [gone] = useState(() => new AbortController());
  useEffect(() => () => gone.abort(), []);
  const [isMade, setMade] = useState(false);
  const act = async (form: FormData): Promise<void> => {
    setMade(true);
    await keep(String(form.get("thread"))).finally(() => setMade(false));
  };
  const keep = async (thread: string): Promise<void> => {
    const seconds = what === "cpu-profile" ? `&seconds=${SECONDS}` : "";
    const path = `diagnostics/${what}?process=${part(process)}&thread=${part(thread)}${seconds}`;
    say(`${await download("POST", path, gone.signal)} is there: a browser's developer tools open it`);
  };
  const name = what === "cpu-profile" ? "CPU profile" : "Heap snapshot";
  const isDangerous = what === "heap-snapshot";
  const frame = { title: `${name} of ${process}`, verb: "Make it", danger: isDangerous, close, act };
  return (
    <Form {...frame} isReady={threads.data !== undefined}>
      {!isDangerous ? (
        <p>What one thread spends its time on for ten seconds. It goes on meanwhile, a few per cent slower.</p>
      ) : (
        <>
          <p>
            <strong>The thread stands still while it is made</strong>: about a second for 50 MB.{" "}
            {mode === "worker"
              ? "A worker whose main thread stands still for five seconds loses what it has, which others then run."
              : "A master that leads refuses for its main thread."}
          </p>
          <p>
            <strong>The file holds secrets</strong>: all that the thread has in its memory, tokens and what people
            wrote, too. That it was made is in the audit log.
          </p>
        </>
      )}
      <Loaded of={threads}>{({ threads: all }) => <ThreadChoice all={all} />}</Loaded>
      <p class="muted" role="status">
        {isMade && (what === "cpu-profile" ? "It looks on for ten seconds …" : "The memory is being written down …")}
      </p>
    </Form>
  );
}

/** Most ask for handlers. */
function ThreadChoice({ all }: { all: Threads["threads"] }): JSX.Element {
  const likely = all.find(({ title }) => title.startsWith("work-")) ?? all[0];
  return (
    <label>
      Thread
      <select name="thread">
        {all.map(({ thread, title }) => (
          <option key={thread} value={thread} selected={thread === likely?.thread}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}
