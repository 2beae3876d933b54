/**
 * A fleet in a process of its own, which `cluster-fleet.ts` starts in the network of the cluster: through the forwarder
 * it would not see resets. The first message has its options; each later one is the name of a method.
 */
import { Fleet, type FleetOptions } from '../support/fleet/fleet.ts';

export interface FleetRequest {
  readonly id: number;
  readonly call: 'open' | 'allOpen' | 'moreEchoes' | 'report' | 'forget' | 'close';
}

export interface FleetAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

let fleet: Fleet | null = null;

process.on('message', (message: FleetOptions | FleetRequest) => {
  if (fleet === null) fleet = new Fleet(message as FleetOptions);
  else void answer(fleet, message as FleetRequest);
});
process.once('disconnect', () => process.exit());

async function answer(of: Fleet, { id, call }: FleetRequest): Promise<void> {
  let answered: FleetAnswer;
  try {
    answered = { id, value: await of[call]() };
  } catch (error) {
    answered = { id, error: (error as Error).message };
  }
  process.send?.(answered);
}
