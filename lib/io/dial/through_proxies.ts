import { VnetError } from "../../error.ts";
import type { HostPort } from "../../ip/mod.ts";
import { DeadlinePassed, withDeadline } from "../../wait.ts";
import { AllFailed, inTurn } from "./in_turn.ts";
import type { ProxyOrder } from "./proxy_order.ts";
import { isOfTheWay, PROXIES_MS, PROXY_SILENCE_MS, silentError } from "./silence.ts";

/** Does something through one proxy. */
type Attempt<T> = (proxy: HostPort, signal: AbortSignal) => Promise<T>;

interface ThroughProxies<T> {
  /** What cannot be done while they are all silent. */
  readonly act: string;
  readonly attempt: Attempt<T>;
  /** Tried with the first proxy when each has had its turn. */
  readonly lastly?: Attempt<T>;
  /** Gets what succeeded too late. */
  readonly discard?: (late: T) => void;
  /** How long one may be silent, and all of them; 3 s and 9 s if not given. */
  readonly silenceMs?: number;
  readonly allMs?: number;
}

type Answer<T> = { readonly value: T } | { readonly refusal: VnetError };

/**
 * Tries the proxies of one cluster in turn, until one leads to an answer; a refusal is one, too. Who answered is tried
 * first from then on; who failed or was silent, last.
 *
 * @throws what the attempt throws; {NetworkError} `proxy-silent` when nobody answered in time
 */
export async function throughProxies<T>(
  order: ProxyOrder,
  options: ThroughProxies<T>,
  signal: AbortSignal,
): Promise<T> {
  const { act, attempt, lastly, discard, silenceMs = PROXY_SILENCE_MS, allMs = PROXIES_MS } =
    options;
  const proxies = order.list();
  const begun = new Set<HostPort>();
  const tryOne = (proxy: HostPort, attempt: Attempt<T>) => async (signal: AbortSignal) => {
    begun.add(proxy);
    try {
      return { value: await throughProxy(order, proxy, attempt, signal) };
    } catch (thrown) {
      if (isAnswer(thrown)) return { refusal: thrown };
      throw thrown;
    }
  };
  const attempts: ((signal: AbortSignal) => Promise<Answer<T>>)[] = proxies.map((proxy) =>
    tryOne(proxy, attempt)
  );
  if (lastly !== undefined) attempts.push(tryOne(proxies[0]!, lastly));
  try {
    const { value: answer, index } = await withDeadline(
      allMs,
      signal,
      (signal) =>
        inTurn(attempts, {
          ...{ delayMs: silenceMs, signal },
          discard: (late) => "value" in late && discard?.(late.value),
        }),
    );
    for (const silent of proxies.slice(0, index)) order.failed(silent);
    order.answered(proxies[index] ?? proxies[0]!);
    if ("value" in answer) return answer.value;
    throw answer.refusal;
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    if (thrown instanceof DeadlinePassed) {
      for (const silent of begun) order.failed(silent); // so that the others have their turn
      throw silentError(act, proxies, allMs, thrown);
    }
    throw thrown instanceof AllFailed ? thrown.errors[0] : thrown;
  }
}

/** Tries one proxy, and notes if it failed. @throws what the attempt throws */
export async function throughProxy<T>(
  order: ProxyOrder,
  proxy: HostPort,
  attempt: Attempt<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await attempt(proxy, signal);
  } catch (thrown) {
    if (!isAnswer(thrown) && !signal.aborted) order.failed(proxy);
    throw thrown;
  }
}

/** Whether the cluster has answered, so that no other proxy need be asked. */
function isAnswer(thrown: unknown): thrown is VnetError {
  return thrown instanceof VnetError && !isOfTheWay(thrown);
}
