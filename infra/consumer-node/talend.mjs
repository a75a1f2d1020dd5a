// Provides a valid Talend Cloud token in Node.js 20 or later. Copy this file into your function. It only needs the AWS
// SDK, which Lambda's runtime includes. docs/other-languages.md explains how it works.
import { setTimeout as sleep } from "node:timers/promises";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const SECRET = process.env.TALEND_TOKEN_SECRET ?? "";
const RENEW = process.env.TALEND_RENEW_FUNCTION ?? "";
const secrets = new SecretsManagerClient({ ...settings(SECRET, 3000), maxAttempts: 2 });
// Longer than the function's timeout, and only one attempt, because the secret shows a renewal whose answer was lost.
const functions = new LambdaClient({ ...settings(RENEW, 35_000), maxAttempts: 1 });

/** There is no valid token, or a request cannot be sent with it. Messages name secrets and versions, but no token. */
export class TalendTokenError extends Error {}

/** A published token. console.log and JSON.stringify do not show the access token. */
class Token {
  #accessToken;
  /** @param {any} document @param {string} versionId */
  constructor({ access_token, api_url, issued_at, expires_at }, versionId) {
    if (!/^[\x21-\x7e]+$/.test(access_token ?? "") || !(expires_at > issued_at)) throw new TypeError();
    this.#accessToken = String(access_token);
    this.apiUrl = String(api_url);
    this.origin = new URL(api_url).origin;
    this.versionId = versionId;
    this.expiresAt = Number(expires_at);
    // STALE: in its last five minutes, or in its last sixth if it is valid for less than 30.
    this.advisorySeconds = Math.min(300, (expires_at - issued_at) / 6);
  }
  get accessToken() { return this.#accessToken; }
}

/** @type {Token | undefined} */ let held;
/** @type {Map<string, Promise<void>>} */ const flights = new Map();
/** @type {Map<string, {until: number, error: TalendTokenError}>} */ const refusals = new Map();
/** @type {Set<string>} */ const rejected = new Set();
let [nextReadAt, pauseMs] = [0, 5000];
const secondsLeft = () => (held?.expiresAt ?? 0) - Date.now() / 1000;
const PAUSES_MS = [100, 200, 400, 800, 1600, ...Array(13).fill(2000)];

/** Return a valid token. While it is FRESH, nothing is read; all callers in a process share it. */
export async function getToken() {
  const isStale = held && secondsLeft() > 0 && secondsLeft() <= held.advisorySeconds;
  // One caller reads the successor of a STALE token, and the others get the STALE token at once.
  if (isStale && Date.now() >= nextReadAt && !flights.has("read")) await read().catch(warn);
  if (secondsLeft() <= 0) await read();
  if (held && secondsLeft() > 0) return held;
  throw new TalendTokenError(`token secret '${SECRET}': its token has expired. The rotate function's log says why.`);
}

/**
 * Call `fetch` with the token, and after a 401 once more with the token that replaced it.
 * @param {string | URL} url absolute, or a path of the token's API
 * @param {RequestInit} [init]
 */
export async function talendFetch(url, init = {}) {
  const [headers, body] = [new Headers(init.headers), init.body];
  if (headers.has("authorization")) return fetch(url, init);
  if (url instanceof Request || body instanceof ReadableStream || (body && Symbol.asyncIterator in Object(body)))
    throw new TalendTokenError("a stream or a Request can be sent only once. Use a URL, and a body in memory");
  const token = await getToken();
  const target = new URL(url, token.apiUrl);
  if (target.origin !== token.origin) throw new TalendTokenError(`${target.origin} is not the token's ${token.origin}`);
  headers.set("authorization", `Bearer ${token.accessToken}`);
  const answer = await fetch(target, { ...init, headers });
  // After a redirect to another host, to which `fetch` sends no token, a 401 is not about the token.
  if (answer.status !== 401 || (answer.redirected && new URL(answer.url).origin !== token.origin)) return answer;
  try {
    if (!isReplaced(token.versionId)) await once(token.versionId, () => renew(token.versionId));
    const renewed = await getToken();
    if (renewed.origin !== token.origin) return answer;
    headers.set("authorization", `Bearer ${renewed.accessToken}`);
  } catch (error) {
    warn(error);
    return answer;
  }
  await answer.body?.cancel();
  return fetch(target, { ...init, headers });
}

/** Get a token of another version than the rejected one, or throw. @param {string} version */
async function renew(version) {
  rejected.add(version);
  if (await readReplacement(version)) return;
  if (Date.now() < (refusals.get(version)?.until ?? 0)) throw refusals.get(version)?.error;
  const { outcome, seconds } = await invokeRenew(version);
  const isComing = ["rotated", "superseded", "in_progress", "TooManyRequestsException"].includes(outcome);
  // Another consumer's renewal may have ended, so the secret is read at least once.
  for (const pause of isComing ? PAUSES_MS : [0]) {
    if (await readReplacement(version)) return;
    await sleep(pause * (0.5 + Math.random() / 2));
  }
  const error = new TalendTokenError(`${SECRET}: version ${version} was rejected but was not replaced (${outcome})`);
  refusals.set(version, { until: Date.now() + 1000 * Math.min(seconds, 60), error });
  throw error;
}

/** Invoke the renew function once. @param {string} version */
async function invokeRenew(version) {
  if (!RENEW) return { outcome: "set TALEND_RENEW_FUNCTION to renew it", seconds: 60 };
  const account = /([^/:]+)\/token(-\w{6})?$/.exec(SECRET)?.[1];
  const Payload = JSON.stringify({ rejected_version_id: version, account });
  try {
    const answer = await functions.send(new InvokeCommand({ FunctionName: RENEW, Payload }));
    const result = JSON.parse(answer.Payload?.transformToString() ?? "");
    return { outcome: result.outcome ?? result.errorMessage, seconds: result.retry_after_seconds || 5 };
  } catch (error) {
    return { outcome: describe(error), seconds: /^(AccessDenied|ResourceNotFound)/.test(describe(error)) ? 60 : 5 };
  }
}

/** @param {string} version */ const isReplaced = (version) => held?.versionId !== version && secondsLeft() > 0;
/** @param {string} version */ const readReplacement = (version) => read().catch(warn).then(() => isReplaced(version));
const read = () => once("read", readSecret);

async function readSecret() {
  let problem = "";
  try {
    const answer = await secrets.send(new GetSecretValueCommand({ SecretId: SECRET }));
    problem = "it does not hold a token document";
    const found = new Token(JSON.parse(answer.SecretString ?? ""), answer.VersionId ?? "");
    // A read may briefly return an older version.
    const isWorse = rejected.has(found.versionId) || found.expiresAt < (held?.expiresAt ?? 0);
    if (!held || secondsLeft() <= 0 || rejected.has(held.versionId) || !isWorse) held = found;
    [pauseMs, nextReadAt] = [5000, Date.now() + 5000];
  } catch (error) {
    // While the secret cannot be read, it is read less and less often.
    nextReadAt = Date.now() + (pauseMs = Math.min(2 * pauseMs, 60_000));
    throw new TalendTokenError(`token secret '${SECRET}' cannot be read: ${problem || describe(error)}`);
  }
}

/** Share one call among all callers. @param {string} key @param {() => Promise<void>} start */
function once(key, start) {
  const flight = flights.get(key) ?? start().finally(() => flights.delete(key));
  flights.set(key, flight);
  return flight;
}

// The message of any other error may quote a secret.
/** @param {any} e */ const describe = (e) => (e instanceof TalendTokenError ? e.message : String(e?.name));
/** @param {any} e */ const warn = (e) => console.warn(describe(e));

/** Set our own time limits, and keep no connections: they do not survive long pauses. @param {string} resource */
function settings(resource, requestTimeout = 0) {
  const limits = { connectionTimeout: 2000, requestTimeout, throwOnRequestTimeout: true };
  const requestHandler = { ...limits, httpAgent: { keepAlive: false }, httpsAgent: { keepAlive: false } };
  return { requestHandler, ...(resource.startsWith("arn:") && { region: resource.split(":")[3] }) };
}
