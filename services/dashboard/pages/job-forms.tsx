// The dialogs of jobs: a new one, another input, another time.

import type { Enqueued, JobChange } from "../../admin/api-bot.ts";
import type { JobStory } from "../../admin/api.ts";
import { perform } from "../act.ts";
import { part } from "../ask.ts";
import { Form, showDialog } from "../dialog.tsx";
import { pretty } from "../format.ts";
import { go } from "../link.ts";

const CLASSES = ["0, first most of the time", "1, as usual", "2, later", "3, last"];

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The input is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

export function newJob(): void {
  const act = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    const names = ["queue", "key", "delay"].filter((name) => text(name) !== "");
    const options = Object.fromEntries(names.map((name) => [name, text(name)]));
    const body = { job: text("job"), input: jsonOf(text("input")), options };
    const { id, duplicate } = await perform<Enqueued>({ path: "jobs", body, done: "" });
    go(["jobs", id], duplicate ? { duplicate: "1" } : {});
  };
  showDialog((close) => (
    <Form title="Enqueue a job" verb="Enqueue" close={close} act={act}>
      <div class="fields">
        <label class="wide-field">
          Job, by its name or the id of its route
          <input name="job" required maxLength={256} autofocus />
        </label>
        <label class="wide-field">
          Input, JSON
          <textarea name="input" rows={6} spellcheck={false} class="mono" defaultValue="{}" />
        </label>
        <label>
          Queue
          <input name="queue" placeholder="as the job says" />
        </label>
        <label>
          Ordering key
          <input name="key" />
        </label>
        <label>
          Delay
          <input name="delay" placeholder="10m" pattern="\d+(\.\d+)?(ms|s|m|h|d)" />
        </label>
      </div>
    </Form>
  ));
}

export function editJob(job: JobStory): void {
  const act = async (form: FormData): Promise<void> => {
    const input = String(form.get("input"));
    const change: JobChange = {
      ...(input !== pretty(job.body) && { input: jsonOf(input) }),
      ...(Number(form.get("class")) !== job.class && { class: Number(form.get("class")) as 0 }),
    };
    await perform({ method: "PATCH", path: `jobs/${part(job.id)}`, body: change, done: "The job is changed" });
  };
  showDialog((close) => (
    <Form title="Edit this job" verb="Change" close={close} act={act} wide>
      <p class="note">While nobody runs it.</p>
      <label>
        Input, JSON
        <textarea name="input" rows={12} spellcheck={false} class="mono" defaultValue={pretty(job.body)} />
      </label>
      <label>
        Class
        <select name="class" defaultValue={String(job.class)}>
          {CLASSES.map((name, value) => (
            <option key={name} value={String(value)} selected={value === job.class}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </Form>
  ));
}

export function rescheduleJob(job: JobStory): void {
  const act = async (form: FormData): Promise<void> => {
    const [delay, at] = [String(form.get("delay")).trim(), String(form.get("at"))];
    if ((delay === "") === (at === "")) throw new Error("Give one of the two.");
    const body: JobChange = delay === "" ? { at: new Date(at).toISOString() } : { delay };
    await perform({ method: "PATCH", path: `jobs/${part(job.id)}`, body, done: "The job has another time" });
  };
  showDialog((close) => (
    <Form title="Reschedule this job" verb="Reschedule" close={close} act={act}>
      <p class="note">It rejoins its key at the end.</p>
      <div class="fields">
        <label>
          So long from now (0s is at once)
          <input name="delay" placeholder="10m" pattern="\d+(\.\d+)?(ms|s|m|h|d)" />
        </label>
        <label>
          or at, in your time
          <input name="at" type="datetime-local" step="1" />
        </label>
      </div>
    </Form>
  ));
}
