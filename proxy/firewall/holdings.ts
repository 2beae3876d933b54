import type { CounterBackend } from '../counter/counter-backend.ts';
import { describeKey } from './key.ts';

/** Who holds how many connections by which rule. For people: it names users. */
export interface Holdings {
  /** Connections that are counted by at least one rule. */
  readonly connections: number;
  readonly keys: number;
  /** The fullest first. */
  readonly top: readonly {
    readonly ruleList: string;
    readonly rule: string;
    readonly key: string;
    readonly count: number;
  }[];
}

/** @param limit how many keys to name */
export function holdingsOf(counter: Pick<CounterBackend, 'summary'>, limit: number): Holdings {
  const { connections, keys, top } = counter.summary(limit);
  return {
    connections,
    keys,
    top: top.map(({ key, count }) => {
      const { ruleList, ruleType, claimName, value } = describeKey(key);
      return {
        ruleList,
        rule: claimName === null ? ruleType : `${ruleType} (${claimName})`,
        key: value,
        count,
      };
    }),
  };
}
