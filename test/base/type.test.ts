/** Our few shapes beside the library's own, letter by letter: keys, their order, and what is required. */
import { Type as Library } from "typebox";
import { expect, test } from "vitest";
import { closed, Type } from "../../src/base/type.js";

/** One of each that the program writes, with options and without. */
function shapes(of: typeof Type) {
  const text = of.String({ minLength: 1, description: "a text" });
  const some = of.Object({ b: of.Optional(text), a: of.Integer(), c: of.Optional(of.Null()) });
  return {
    text: [of.String(), text],
    numbers: [of.Number({ minimum: 0 }), of.Integer({ maximum: 9 })],
    simple: [
      of.Boolean(),
      of.Null({ description: "nothing" }),
      of.Unknown(),
      of.Unknown({ title: "x" }),
    ],
    literals: [of.Literal(1), of.Literal("vacuum", { description: "a task" }), of.Literal(true)],
    enums: [of.Enum(["a", "b"]), of.Enum(["R"], { description: "reads" })],
    arrays: [of.Array(text), of.Array(of.Boolean(), { minItems: 1, uniqueItems: true })],
    unions: [of.Union([text, of.Null()]), of.Union([of.Number(), text], { description: "either" })],
    objects: [of.Object({}), some, of.Object({ deep: of.Optional(some), more: some }, closed)],
    onlyOptional: of.Object({ a: of.Optional(text) }, { ...closed, description: "all of it" }),
    partial: [of.Partial(some), of.Partial(of.Object({ a: text }, closed), { description: "x" })],
    partialInside: of.Object({ part: of.Partial(some), optional: of.Optional(of.Partial(some)) }),
    records: [of.Record(of.String(), text), of.Record(of.String({ pattern: "^a" }), some, closed)],
    unsafe: of.Object({ a: of.Optional(of.Unsafe<string>({ ...text, default: "1h" })) }),
    again: of.Object({ a: of.Optional(of.Optional(text)), b: of.Unsafe<1>(of.Optional(text)) }),
  };
}

test("every shape is what the library makes of it", () => {
  expect(JSON.stringify(shapes(Type), null, 1)).toBe(
    JSON.stringify(shapes(Library as typeof Type), null, 1),
  );
});

test("a shape of the library may stand in one of ours, optional or not", () => {
  const mixed = Type.Object({ a: Library.Optional(Library.String()), b: Library.String() });
  expect(mixed).toMatchObject({ required: ["b"] });
});
