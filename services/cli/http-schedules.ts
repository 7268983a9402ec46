// Schedules behind an admin API.

import type { Schedule } from "../admin/api-bot.ts";
import type { NewSchedule, ScheduleChange, ScheduleControls, ScheduleInfo } from "../sdk/schedules.ts";
import type { ApiClient } from "./api-client.ts";
import { scheduleOf } from "./http-shapes.ts";

const LIMIT = 200;

export class HttpSchedules implements ScheduleControls {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async list(): Promise<ScheduleInfo[]> {
    const found: ScheduleInfo[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: LIMIT, cursor };
      const page: { items: Schedule[]; cursor?: string } = await this.#api.ask("GET", "/schedules", { query });
      found.push(...page.items.map(scheduleOf));
      ({ cursor } = page);
    } while (cursor !== undefined);
    return found;
  }

  async pause(id: string): Promise<void> {
    await this.#api.ask("POST", `${pathOf(id)}/pause`);
  }

  async resume(id: string): Promise<void> {
    await this.#api.ask("POST", `${pathOf(id)}/resume`);
  }

  run(id: string): Promise<{ readonly id: string }> {
    return this.#api.ask("POST", `${pathOf(id)}/run`);
  }

  async set(id: string, change: ScheduleChange): Promise<void> {
    await this.#api.ask("PATCH", pathOf(id), { body: change });
  }

  async reset(id: string): Promise<void> {
    await this.#api.ask("POST", `${pathOf(id)}/reset`);
  }

  async add(id: string, { job, ...schedule }: NewSchedule): Promise<void> {
    const body = { id, job: typeof job === "string" ? job : job.name, ...schedule };
    await this.#api.ask("POST", "/schedules", { body });
  }

  async remove(id: string): Promise<void> {
    await this.#api.ask("DELETE", pathOf(id));
  }
}

function pathOf(id: string): string {
  return `/schedules/${encodeURIComponent(id)}`;
}
