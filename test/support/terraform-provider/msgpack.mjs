/**
 * Terraform's values as msgpack: what JSON has, and "known after apply" as an extension
 * (docs/plugin-protocol/object-wire-format.md of Terraform: type 0 is an unknown value, type 12 an unknown value of
 * which something is known, e.g. that it is not null). Both are read as UNKNOWN; only the first is written.
 */
import { decode, ExtensionCodec, encode } from "@msgpack/msgpack";
import { bytesOf, decodeMessage } from "./wire.mjs";

class Unknown {}

/** A value that Terraform shows as "known after apply". */
export const UNKNOWN = new Unknown();

/** @param {unknown} value */
export function isUnknown(value) {
  return value instanceof Unknown;
}

const PLAIN_UNKNOWN = 0;
const REFINED_UNKNOWN = 12;

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: PLAIN_UNKNOWN,
  encode: (value) => (isUnknown(value) ? new Uint8Array([0]) : null),
  decode: () => UNKNOWN,
});
extensionCodec.register({ type: REFINED_UNKNOWN, encode: () => null, decode: () => UNKNOWN });

/**
 * The message `DynamicValue`, with the value in its field 1.
 * @param {unknown} value
 * @returns {[number, Buffer][]}
 */
export function dynamicValue(value) {
  return [[1, Buffer.from(encode(value, { extensionCodec }))]];
}

/**
 * A field that holds a `DynamicValue`: msgpack in its field 1, or JSON in its field 2. Absent is null.
 * @param {import("./wire.mjs").Message} message
 * @param {number} number
 * @returns {any}
 */
export function dynamicOf(message, number) {
  const field = bytesOf(message, number);
  if (field === null) return null;
  const dynamic = decodeMessage(field);
  const packed = bytesOf(dynamic, 1);
  if (packed !== null) return decode(packed, { extensionCodec });
  const json = bytesOf(dynamic, 2);
  return json === null ? null : JSON.parse(json.toString("utf8"));
}
