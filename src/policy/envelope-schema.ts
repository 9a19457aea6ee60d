/** The form of an envelope. Closed: what a later format adds is not half understood. */

import { compileSchema } from "../base/schema.js";
import { closed, Type } from "../base/type.js";

const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Name = Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" });

const Requires = Type.Object(
  {
    schema: Type.Integer({ minimum: 1 }),
    runbooks: Type.Record(Type.String(), Sha256, { maxProperties: 500 }),
  },
  closed,
);

const Bundle = Type.Object(
  {
    format: Type.Literal(1),
    system: Name,
    environment: Name,
    // Which sections there are, the checks of the policies say.
    sections: Type.Object({}, { additionalProperties: true }),
    requires: Requires,
    previewed: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { maxProperties: 100 }),
  },
  closed,
);

export const ENVELOPE = compileSchema(
  Type.Object(
    {
      bundle: Bundle,
      digest: Sha256,
      commit: Type.Union([Type.String({ pattern: "^[0-9a-f]{7,64}$" }), Type.Null()]),
      revision: Type.Integer({ minimum: 1 }),
      createdAt: Type.String({
        pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$",
      }),
      signature: Type.Object(
        {
          algorithm: Type.Literal("Ed25519"),
          keyId: Type.String({ pattern: "^[0-9a-f]{8}$" }),
          // 64 bytes in base64url, without padding, and in the one way to write them: the last sign has four bits to spare.
          value: Type.String({ pattern: "^[A-Za-z0-9_-]{85}[AQgw]$" }),
        },
        closed,
      ),
    },
    closed,
  ),
);
