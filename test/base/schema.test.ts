import { describe, expect, it } from "vitest";
import { compileSchema } from "../../src/base/schema.js";
import { Type } from "../../src/base/type.js";

const schema = compileSchema(
  Type.Object(
    { repo_id: Type.String({ minLength: 1 }), depth: Type.Optional(Type.Integer({ minimum: 1 })) },
    { additionalProperties: false },
  ),
);

describe("a compiled schema", () => {
  it("finds nothing in a value that fits", () => {
    expect(schema.check({ repo_id: "r1" })).toEqual([]);
    expect(schema.fits({ repo_id: "r1", depth: 2 })).toBe(true);
  });

  it("finds everything at once, each with its pointer", () => {
    const findings = schema.check({ depth: 0, reop_id: "r1" });
    expect(findings.map(({ pointer, message }) => `${pointer}: ${message}`).sort()).toEqual([
      "/depth: must be >= 1",
      ': must have key "repo_id"',
      ': unknown key "reop_id"',
    ]);
  });
});
