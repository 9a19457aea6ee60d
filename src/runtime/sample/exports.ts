/** What has left by exports: rows and compressed bytes of those that ended within a day. */
import { DAY_MS } from "../../base/duration.js";
import type { Sql } from "../../store/database.js";
import { sumExports } from "../../store/export-runs.js";
import { gauge, type SampleSource } from "./source.js";

export function exportsSource(sql: Sql): SampleSource {
  return {
    name: "exports",
    collect: async (now) => {
      const { rows, bytes } = await sumExports(sql, new Date(now.getTime() - DAY_MS));
      return [
        ...gauge("algobrain.export.rows", rows, now),
        ...gauge("algobrain.export.bytes", bytes, now),
      ];
    },
  };
}
