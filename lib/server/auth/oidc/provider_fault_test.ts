import { equal } from "node:assert/strict";
import { ProviderFault } from "./provider_fault.ts";

Deno.test("ProviderFault.of() takes an error by its code alone, whatever it is called", () => {
  equal(ProviderFault.of({ error: "access_denied" }).kind, "denied");
  for (const error of ["constructor", "__proto__", "to_string", "toString", "invalid_scope"]) {
    equal(ProviderFault.of({ error }).kind, "misconfigured");
  }
});
