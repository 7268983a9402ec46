// An operator's hand on the dashboard: clicks by names, dialogs, and what becomes of it.

import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { Page } from "playwright-core";
import { Browsing, eventually, Shop } from "./dashboard.ts";

export interface Operator {
  readonly shop: Shop;
  readonly page: Page;
  readonly hand: Hand;
}

/** Called within a suite: a shop with some work, and an operator in front of it. The page may complain of nothing. */
export function useOperator(): Operator {
  const at: { shop?: Shop; browsing?: Browsing; page?: Page; problems?: readonly string[]; hand?: Hand } = {};
  beforeAll(async () => {
    at.shop = await Shop.open();
    at.shop.startLoad(5);
    at.browsing = await Browsing.open();
    const viewport = { width: 1400, height: 900 };
    Object.assign(at, await at.browsing.look(at.shop, { role: "operator", viewport }));
    at.hand = new Hand(there(at.page), at.shop);
  }, 240_000);
  afterEach(() => expect(at.problems).toEqual([]));
  afterAll(async () => {
    await at.browsing?.close();
    await at.shop?.close();
  });
  return {
    get shop() {
      return there(at.shop);
    },
    get page() {
      return there(at.page);
    },
    get hand() {
      return there(at.hand);
    },
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("asked before the suite began");
  return value;
}

export class Hand {
  readonly #page: Page;
  readonly #shop: Shop;

  constructor(page: Page, shop: Shop) {
    this.#page = page;
    this.#shop = shop;
  }

  click(name: string): Promise<void> {
    return this.#page.getByRole("button", { name, exact: true }).click();
  }

  inDialog(name: string): Promise<void> {
    return this.#page.getByRole("dialog").getByRole("button", { name }).click();
  }

  fill(label: string, text: string): Promise<void> {
    return this.#page.getByRole("dialog").getByLabel(label).fill(text);
  }

  says(text: string): Promise<void> {
    return this.#page.locator(".toasts").getByText(text).last().waitFor();
  }

  soon(what: string, condition: () => Promise<boolean>): Promise<unknown> {
    return eventually(condition, what);
  }

  async stateOf(id: string): Promise<string | undefined> {
    return (await this.#shop.queue.find(id))?.state;
  }

  /** All of them, whatever they are. */
  async are(ids: readonly string[], fits: (state: string | undefined) => boolean): Promise<boolean> {
    return (await Promise.all(ids.map((id) => this.stateOf(id)))).every(fits);
  }

  /** In a queue that nothing takes from. */
  async held(to: string, options: object = {}): Promise<string> {
    await this.#shop.queue.pause("parked");
    const input = { to, ms: 1 };
    return (await this.#shop.queue.enqueue("mail.send", input, { queue: "parked", ...options })).id;
  }

  async dead(order: string, queue = "default"): Promise<string> {
    const input = { order, error: `no money for ${order}` };
    const { id } = await this.#shop.queue.enqueue("pay.capture", input, { queue });
    await this.soon(`${order} is dead`, async () => (await this.stateOf(id)) === "dead");
    return id;
  }
}
