// The dialogs of schedules.

import type { JSX } from "preact";
import type { NewSchedule, Schedule, ScheduleChange } from "../../admin/api-bot.ts";
import { perform } from "../act.ts";
import { part } from "../ask.ts";
import { Form, showDialog } from "../dialog.tsx";
import { jsonOf } from "./job-forms.tsx";

export function editSchedule(schedule: Schedule): void {
  const { id } = schedule;
  const act = async (form: FormData): Promise<void> =>
    void (await perform({
      method: "PATCH",
      path: `schedules/${part(id)}`,
      body: changeOf(form),
      done: `${id} is changed`,
    }));
  showDialog((close) => (
    <Form title={`Edit ${id}`} verb="Change" close={close} act={act}>
      <p class="note">It holds within a second and survives deploys, until it is reset.</p>
      <TimeFields schedule={schedule} />
    </Form>
  ));
}

export function addSchedule(): void {
  const act = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    const body: NewSchedule = {
      id: text("id"),
      job: text("job"),
      input: jsonOf(text("input")),
      ...(text("queue") !== "" && { queue: text("queue") }),
      ...changeOf(form),
    };
    await perform({ path: "schedules", body, done: `${body.id} is added` });
  };
  showDialog((close) => (
    <Form title="Add a schedule" verb="Add" close={close} act={act}>
      <div class="fields">
        <label>
          Name
          <input name="id" required maxLength={256} autofocus />
        </label>
        <label>
          Job that it enqueues
          <input name="job" required maxLength={256} />
        </label>
        <label>
          Queue
          <input name="queue" placeholder="as the job says" />
        </label>
        <label class="wide-field">
          Input, JSON
          <textarea name="input" rows={3} spellcheck={false} class="mono" defaultValue="{}" />
        </label>
      </div>
      <TimeFields />
    </Form>
  ));
}

function TimeFields({ schedule }: { schedule?: Schedule }): JSX.Element {
  const cron = schedule?.times.kind === "cron" ? schedule.times : undefined;
  const every = schedule?.times.kind === "every" ? `${schedule.times.periodMs / 1000}s` : "";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div class="fields">
      <label>
        Cron, five fields
        <input name="spec" defaultValue={cron?.spec ?? ""} placeholder="0 9 * * 1-5" class="mono" />
      </label>
      <label>
        Time zone
        <input name="tz" defaultValue={cron?.tz ?? (schedule === undefined ? zone : "")} placeholder={zone} />
      </label>
      <label>
        or every
        <input name="every" defaultValue={every} placeholder="15m" />
      </label>
      <label>
        Of missed slots
        <select name="misfire">
          {(["latest", "skip", "all"] as const).map((word) => (
            <option key={word} value={word} selected={word === (schedule?.misfire ?? "latest")}>
              {{ latest: "run the latest", skip: "skip them", all: "run all" }[word]}
            </option>
          ))}
        </select>
      </label>
      <label>
        While an earlier run goes on
        <select name="overlap">
          {(["allow", "skip"] as const).map((word) => (
            <option key={word} value={word} selected={word === (schedule?.overlap ?? "skip")}>
              {{ allow: "run too", skip: "skip" }[word]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** `every` is in place of the other two. */
function changeOf(form: FormData): ScheduleChange {
  const text = (name: string): string => String(form.get(name) ?? "").trim();
  const [spec, tz, every] = [text("spec"), text("tz"), text("every")];
  return {
    ...(spec !== "" ? { spec, ...(tz !== "" && { tz }) } : every !== "" && { every }),
    misfire: text("misfire") as "latest",
    overlap: text("overlap") as "skip",
  };
}
