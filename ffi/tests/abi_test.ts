/**
 * Holds the table of ffi/mod.ts against vnet_shim.h, name by name and type by type, and the constants both have.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import * as table from "../mod.ts";

const FFI_TYPE: Readonly<Record<string, string>> = {
  void: "void",
  int32_t: "i32",
  uint32_t: "u32",
  int64_t: "i64",
  uint64_t: "u64",
};

const header = await Deno.readTextFile(new URL("../vnet_shim.h", import.meta.url));
const code = header.replace(/\/\*[^]*?\*\//g, "").replace(/^#.*$/gm, "");

function ffiType(declaration: string): string {
  if (declaration.includes("*")) return "buffer";
  const name = declaration.replace(/\bconst\b/g, "").trim().split(/\s+/)[0] ?? "";
  return FFI_TYPE[name] ?? `unknown type ${name}`;
}

function constant(name: string): number {
  const [, value] = new RegExp(`^#define ${name} (\\d+)u?$`, "m").exec(header) ?? [];
  return Number(value);
}

Deno.test("symbols agree with vnet_shim.h", () => {
  const wanted: Record<string, { parameters: string[]; result: string }> = {};
  for (const [, result, name, list] of code.matchAll(/(\w+)\s+(vnet_\w+)\(([^)]*)\);/g)) {
    const parameters = list?.trim() === "void" ? [] : (list ?? "").split(",").map(ffiType);
    wanted[name ?? ""] = { parameters, result: ffiType(result ?? "") };
  }
  const found = Object.fromEntries(
    Object.entries(table.symbols).map((
      [name, symbol],
    ) => [name, { parameters: [...symbol.parameters], result: symbol.result }]),
  );
  deepEqual(found, wanted);
  deepEqual(Object.keys(found), Object.keys(wanted), "in the same order");
});

Deno.test("exactly the functions that say BLOCKS are nonblocking", () => {
  const blocking = [...header.matchAll(/\/\*((?:(?!\*\/)[^])*)\*\/\s*\w+\s+(vnet_\w+)\(/g)]
    .filter(([, comment]) => comment?.includes("BLOCKS")).map(([, , name]) => name);
  const nonblocking = Object.entries(table.symbols)
    .filter(([, symbol]) => "nonblocking" in symbol).map(([name]) => name);
  deepEqual(nonblocking, blocking);
});

Deno.test("constants agree with vnet_shim.h", () => {
  equal(table.ABI_VERSION, constant("VNET_ABI_VERSION"));
  equal(table.NETWORK_RECORD_SIZE, constant("VNET_NETWORK_RECORD_SIZE"));
  equal(table.NETWORKS_LIMIT, constant("VNET_NETWORKS_LIMIT"));
  equal(table.ANSWERS_LIMIT, constant("VNET_ANSWERS_LIMIT"));
  equal(table.ANSWER_BYTES, constant("VNET_ANSWER_BYTES"));
  equal(table.LEASES_LIMIT, constant("VNET_LEASES_LIMIT"));
  equal(table.FLOW_RECORD_SIZE, constant("VNET_FLOW_RECORD_SIZE"));
  equal(table.STATS_COUNT, constant("VNET_STATS_COUNT"));
  equal(table.STATS.length, table.STATS_COUNT);
  equal(table.OWNER_REQUIRED, constant("VNET_DATAPATH_OWNER_REQUIRED"));
  const snake = (name: string) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter}`).replaceAll("-", "_").toUpperCase();
  for (const [name, value] of Object.entries(table.SPAWN)) {
    equal(value, constant(`VNET_SPAWN_${snake(name)}`), name);
  }
  for (const [name, value] of Object.entries(table.SOURCE)) {
    equal(value, constant(`VNET_SOURCE_${snake(name)}`), name);
  }
  for (const [name, value] of Object.entries(table.HARDEN)) {
    equal(value, constant(`VNET_HARDEN_${snake(name)}`), name);
  }
  for (const [name, value] of Object.entries(table.BIND)) {
    equal(value, constant(`VNET_BIND_${snake(name)}`), name);
  }
  for (const [name, value] of Object.entries(table.ANSWER)) {
    equal(value, constant(`VNET_ANSWER_${snake(name)}`), name);
  }
});

Deno.test("STATS are in the order of the C counters", async () => {
  const sources = await Promise.all(
    ["datapath.h", "nat.h"].map((file) =>
      Deno.readTextFile(new URL(`../${file}`, import.meta.url))
    ),
  );
  const names = sources.flatMap((source, index) => {
    const [, body] = /enum (?:io|nat)_counter \{([^}]*)\}/.exec(source) ?? [];
    const prefix = index === 0 ? "IO_" : "NAT_";
    return [...(body ?? "").matchAll(/\b(?:IO|NAT)_[A-Z_]+/g)].map(([name]) =>
      name.slice(prefix.length).toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase())
    );
  }).filter((name) => name !== "counters");
  deepEqual(names, [...table.STATS]);
});
