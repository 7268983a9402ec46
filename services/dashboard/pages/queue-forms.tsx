// The dialogs of a queue: its limits, and a pause of one route or key.

import type { LimitsBody, Queue } from "../../admin/api.ts";
import { perform } from "../act.ts";
import { part } from "../ask.ts";
import { Form, showDialog } from "../dialog.tsx";

export function editLimits({ name, limits }: Queue): void {
  const act = async (form: FormData): Promise<void> => {
    const body = limitsOf(form);
    await perform({
      method: "PUT",
      path: `queues/${part(name)}/limits`,
      body,
      done: `The limits of ${name} are changed`,
    });
  };
  showDialog((close) => (
    <Form title={`Limits of ${name}`} verb="Change" close={close} act={act}>
      <p class="note">Over all workers. What is empty is not limited.</p>
      <div class="fields">
        <label>
          Begin at most
          <input name="limit" type="number" min="1" max="1000000" value={limits.rate?.limit ?? ""} />
        </label>
        <label>
          per
          <input name="per" pattern="\d+(\.\d+)?(ms|s|m|h|d)" placeholder="1m" value={limits.rate?.per ?? ""} />
        </label>
        <label>
          of them at once
          <input name="burst" type="number" min="1" max="1000000" value={limits.rate?.burst ?? ""} />
        </label>
        <label>
          Run at most at a time
          <input name="concurrency" type="number" min="1" max="1000000" value={limits.concurrency ?? ""} />
        </label>
      </div>
    </Form>
  ));
}

function limitsOf(form: FormData): LimitsBody {
  const text = (name: string): string => String(form.get(name) ?? "").trim();
  const [limit, per, burst, concurrency] = [text("limit"), text("per"), text("burst"), text("concurrency")];
  if (limit === "" && concurrency === "") return null;
  return {
    ...(limit !== "" && {
      rate: { limit: Number(limit), per: per === "" ? "1s" : per, ...(burst !== "" && { burst: Number(burst) }) },
    }),
    ...(concurrency !== "" && { concurrency: Number(concurrency) }),
  };
}

export function pausePart(queue: string): void {
  const act = async (form: FormData): Promise<void> => {
    const [what, name] = [String(form.get("what")), String(form.get("name"))];
    await perform({
      path: `queues/${part(queue)}/pause`,
      body: { [what]: name },
      done: `${name} is paused in ${queue}`,
    });
  };
  showDialog((close) => (
    <Form title={`Pause a part of ${queue}`} verb="Pause" close={close} act={act}>
      <p class="note">Nothing new of it begins; what runs runs on; nothing is lost.</p>
      <div class="fields">
        <label>
          What
          <select name="what">
            <option value="route">route</option>
            <option value="key">ordering key</option>
          </select>
        </label>
        <label class="wide-field">
          Its name
          <input name="name" required maxLength={1024} placeholder="deploy.ship" />
        </label>
      </div>
    </Form>
  ));
}
