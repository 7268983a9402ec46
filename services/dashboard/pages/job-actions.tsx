// What can be done about one delivery in the state that it is in.

import type { JSX } from "preact";
import type { JobStory } from "../../admin/api.ts";
import { act, perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { Button } from "../parts.tsx";
import { editJob, rescheduleJob } from "./job-forms.tsx";

export function JobActions({ job }: { job: JobStory }): JSX.Element | null {
  const { id, state } = job;
  const path = `jobs/${part(id)}`;
  const remove = (): void =>
    confirm({
      title: "Delete this job?",
      text: "It is forgotten with all that is known of it. This cannot be undone.",
      verb: "Delete",
      act: async () => void (await perform({ method: "DELETE", path, done: "The job is deleted" })),
    });
  const kill = (): void =>
    confirm({
      title: "End this run?",
      text: "Its signal is aborted first; what does not heed it is ended with its thread. The job does not run again.",
      verb: "End it",
      act: async () => void (await perform({ path: `${path}/cancel`, done: "Its worker was told to end it" })),
    });
  if (state === "finished") return null;
  if (state === "claimed")
    return (
      <Button icon="stop" kind="danger" onClick={kill}>
        End this run
      </Button>
    );
  return (
    <>
      {state === "dead" && (
        <Button
          icon="retry"
          kind="primary"
          onClick={() => act({ path: `${path}/retry`, done: "The job will run again" })}
        >
          Retry
        </Button>
      )}
      {state !== "dead" && job.kind !== "message" && (
        <Button icon="edit" onClick={() => editJob(job)}>
          Edit
        </Button>
      )}
      {(state === "waiting" || state === "delayed") && (
        <Button icon="clock" onClick={() => rescheduleJob(job)}>
          Reschedule
        </Button>
      )}
      <Button icon="bin" kind="danger" onClick={remove}>
        Delete
      </Button>
    </>
  );
}
