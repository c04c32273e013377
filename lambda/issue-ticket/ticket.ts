import { createHash } from "node:crypto";

/**
 * Browsers can't set headers on a WebSocket, so a ticket goes into its address; addresses get logged, so it lives this
 * long and works once.
 */
export const TICKET_SECONDS = 60;
/** Bytes of randomness in a ticket. */
export const TICKET_BYTES = 32;
export const TICKET = /^[A-Za-z0-9_-]{43}$/;

/** What is stored of a ticket: whoever reads the table can't connect with what is in it. */
export function ticketKey(ticket: string): string {
  return createHash("sha256").update(ticket).digest("hex");
}

/** Whether a stored ticket still counts; DynamoDB deletes expired items days later. */
export function ticketCounts(expiresAt: number | undefined, nowMs: number): boolean {
  return expiresAt !== undefined && expiresAt * 1_000 > nowMs;
}
