// The contract that every adapter passes. What the service cannot be made to do stands in `without`.

import { adapterContract } from "antiphon/testing";
import { describe, test } from "vitest";
import adapter from "./adapter.ts";
import { ExampleService } from "./service.ts";

describe("the adapter example", () => {
  adapterContract({ test, adapter, service: () => ExampleService.start() });
});
