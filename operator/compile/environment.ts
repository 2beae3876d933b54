/**
 * Where what is compiled runs. `Standalone`: all gateways share one process, and Services cannot be looked up.
 * `Cluster`: each gateway has pods of its own.
 */
export type Environment = 'Standalone' | 'Cluster';
