/**
 * The protocol buffers wire format, as far as Terraform's plugin protocol 5 needs it: varints and
 * length-delimited fields (https://protobuf.dev/programming-guides/encoding/). No generated code: a message is
 * a list of `[field number, value]`, and a message that was read is a list of values by field number.
 *
 * @typedef {string | number | boolean | Buffer | Field[] | null | undefined} FieldValue
 * @typedef {[number, FieldValue]} Field
 * @typedef {Record<number, (Buffer | number)[]>} Message
 */

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/**
 * Text and bytes are written as they are, numbers and `true` as varints, lists as messages inside. What
 * equals its default (null, false, 0) is left out, as proto3 does.
 * @param {readonly Field[]} fields
 * @returns {Buffer}
 */
export function encodeMessage(fields) {
  return Buffer.concat(fields.flatMap(encodeField));
}

/** @param {Field} field */
function encodeField([number, value]) {
  if (value === undefined || value === null || value === false || value === 0) return [];
  if (value === true) return [varint((number << 3) | VARINT), varint(1)];
  if (typeof value === "number") return [varint((number << 3) | VARINT), varint(value)];
  const bytes = toBytes(value);
  return [varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes];
}

/** @param {string | Buffer | Field[]} value */
function toBytes(value) {
  if (Buffer.isBuffer(value)) return value;
  return typeof value === "string" ? Buffer.from(value, "utf8") : encodeMessage(value);
}

/** @param {number} value not negative, and a safe integer */
function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/**
 * Throws a RangeError when the bytes end inside a field.
 * @param {Buffer} bytes
 * @returns {Message}
 */
export function decodeMessage(bytes) {
  /** @type {Message} */
  const message = {};
  let at = 0;
  const take = (/** @type {number} */ count) => {
    if (at + count > bytes.length) throw new RangeError(`the message ends inside a field at ${at}`);
    at += count;
    return bytes.subarray(at - count, at);
  };
  const readVarint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const [byte] = take(1);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const readValue = (/** @type {number} */ wireType) => {
    if (wireType === VARINT) return readVarint();
    if (wireType === LENGTH_DELIMITED) return take(readVarint());
    if (wireType === FIXED_64) return take(8);
    if (wireType === FIXED_32) return take(4);
    throw new RangeError(`wire type ${wireType} is not in use`);
  };
  while (at < bytes.length) {
    const key = readVarint();
    const number = key >> 3;
    message[number] = [...(message[number] ?? []), readValue(key & 7)];
  }
  return message;
}

/**
 * The last value of a field that holds bytes; null when it is absent.
 * @param {Message} message
 * @param {number} number
 * @returns {Buffer | null}
 */
export function bytesOf(message, number) {
  const value = message[number]?.at(-1);
  return Buffer.isBuffer(value) ? value : null;
}

/**
 * @param {Message} message
 * @param {number} number
 */
export function textOf(message, number) {
  return bytesOf(message, number)?.toString("utf8") ?? "";
}
