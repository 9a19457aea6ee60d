/** What is in force, and what holds against it, in the shapes of /health. */
import { Type } from "../base/type.js";
import type { PolicySummary } from "../store/policy-summary.js";
import { Nullable, Time } from "./schema.js";

const Setting = Nullable(Type.Union([Type.String(), Type.Number(), Type.Boolean()]));
const Revision = Nullable(Type.Integer());

export const DriftSchema = Type.Object({
  name: Type.String({ description: "a variable, or the path of an emergency setting" }),
  policyValue: Setting,
  value: Setting,
  override: Type.Optional(
    Type.Object({
      id: Type.Integer(),
      owner: Type.String(),
      reason: Type.String(),
      until: Time,
    }),
  ),
  unusable: Type.Optional(Type.String({ description: "why it does not hold all the same" })),
});

export const PolicySummarySchema = Type.Object({
  digest: Type.String(),
  revision: Type.Integer(),
  commit: Nullable(Type.String()),
  adopted: Revision,
  published: Revision,
  held: Revision,
  waiting: Revision,
  failed: Revision,
  processes: Type.Object({ on_it: Type.Integer(), behind: Type.Integer() }),
  overrides: Type.Integer({ description: "emergency settings that are in force" }),
});

export function toSummaryDocument({ onIt, behind, ...revisions }: PolicySummary) {
  return { ...revisions, processes: { on_it: onIt, behind } };
}
