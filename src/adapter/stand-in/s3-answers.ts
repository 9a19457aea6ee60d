/** How S3 words what it says. */
import type { LoopbackAnswer } from "./loopback.js";

const HEADERS = { "content-type": "application/xml" };
const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>';

export function s3Answer(element: string, members: string): LoopbackAnswer {
  const body = `${PROLOGUE}<${element}>${members}</${element}>`;
  return { status: 200, headers: HEADERS, body };
}

export function s3Refusal(status: number, code: string): LoopbackAnswer {
  const body = `${PROLOGUE}<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: HEADERS, body };
}
