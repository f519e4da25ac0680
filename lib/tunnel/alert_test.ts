import { equal } from "node:assert/strict";
import { encodeAlert, refusalOfAlert } from "./alert.ts";

Deno.test("an alert of the proxy is read back from the words of the TLS library", () => {
  equal(encodeAlert("no-agent").toHex(), "15030300020270");
  equal(refusalOfAlert("received fatal alert: UnrecognisedName"), "no-agent");
  equal(refusalOfAlert("received fatal alert: AccessDenied"), "ticket-refused");
  equal(refusalOfAlert("received fatal alert: HandshakeFailure"), null);
  equal(refusalOfAlert("UnrecognisedName"), null);
});
