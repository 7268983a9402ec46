// Every server that a bus can be kept in, and the bus on top of it.

import { eachBusServer } from "../support/bus-servers.ts";
import { backendCases } from "./bus-backend-cases.ts";
import { busCases } from "./bus-cases.ts";

eachBusServer((stage) => {
  backendCases(stage);
  busCases(stage);
});
