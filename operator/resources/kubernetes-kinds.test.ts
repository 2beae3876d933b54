/** Kinds of Kubernetes and the Gateway API: mistakes in files are named as those in our own kinds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic } from './diagnostics.ts';
import { loadResources } from './load.ts';
import { resourceOf } from './testing/schemas.ts';
import type { Resource } from './types.ts';
import { validateResource } from './validate.ts';

function messagesFor(text: string): string[] {
  const { resources, diagnostics } = loadResources(text, 'f');
  return [...diagnostics, ...resources.flatMap(validateResource)].map(({ field, message }) =>
    field === '' ? message : `${field}: ${message}`,
  );
}

const ingress = (spec: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: ${spec}}`;
const path = (fields: string) =>
  ingress(`{rules: [{http: {paths: [{backend: {service: {name: a, port: {number: 80}}}, ${fields}}]}}]}`);
const to = (backend: string) => ingress(`{defaultBackend: ${backend}}`);
const ingressClass = (spec: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: a}, spec: ${spec}}`;
const grant = (version: string, spec: string) =>
  `{apiVersion: gateway.networking.k8s.io/${version}, kind: ReferenceGrant, metadata: {name: a}, spec: ${spec}}`;
const service = (spec: string) => `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: ${spec}}`;

const valid: [title: string, text: string][] = [
  [
    'an Ingress with everything',
    `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, annotations: {sluice.dev/ssl-redirect: 'true'}}
spec:
  ingressClassName: sluice
  defaultBackend: {resource: {apiGroup: sluice.dev, kind: BackendPool, name: chat}}
  tls:
    - {hosts: [a.example.com, '*.b.example.com'], secretName: tls}
    - {}
  rules:
    - host: '*.b.example.com'
    - host: ''
      http:
        paths:
          - {path: /a, pathType: Exact, backend: {service: {name: a, port: {name: http}}}}
          - {pathType: ImplementationSpecific, backend: {service: {name: a, port: {number: 80}}}}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}`,
  ],
  [
    'an IngressClass without spec',
    '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: a}}',
  ],
  [
    'an IngressClass with parameters',
    ingressClass(
      '{controller: sluice.dev/gateway-controller, parameters: {apiGroup: sluice.dev, kind: EdgeGateway, scope: Namespace, namespace: edge, name: chat}}',
    ),
  ],
  ...['v1', 'v1beta1'].map((version): [string, string] => [
    `a ReferenceGrant ${version}`,
    grant(
      version,
      "{from: [{group: sluice.dev, kind: BackendPool, namespace: a}], to: [{group: '', kind: Service, name: a}]}",
    ),
  ]),
  [
    'a Service with fields that nobody reads',
    service('{type: LoadBalancer, someday: 1, ports: [{port: 80, targetPort: http, someday: 1}]}'),
  ],
];

for (const [title, text] of valid) {
  test(`${title} is valid`, () => assert.deepEqual(messagesFor(text), []));
}

const invalid: [title: string, text: string, ...expected: string[]][] = [
  [
    'an Ingress of an old version',
    '{apiVersion: networking.k8s.io/v1beta1, kind: Ingress, metadata: {name: a}}',
    'apiVersion: found "networking.k8s.io/v1beta1", expected networking.k8s.io/v1',
  ],
  [
    'a ReferenceGrant of a version that does not exist',
    grant('v2', '{}'),
    'apiVersion: found "gateway.networking.k8s.io/v2", expected gateway.networking.k8s.io/v1',
  ],
  [
    'an Ingress without spec',
    '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}',
    'spec: found nothing, expected an object with the fields ingressClassName, defaultBackend, tls, rules',
  ],
  ['an Ingress that serves nothing', ingress('{rules: []}'), 'spec: defaultBackend or rules must be set'],
  [
    'an unknown field',
    ingress('{ingressClass: a, rules: [{}]}'),
    'spec.ingressClass: unknown field, did you mean ingressClassName?',
  ],
  [
    'a host with a port',
    ingress("{rules: [{host: 'a.example.com:80'}]}"),
    'spec.rules[0].host: found "a.example.com:80", expected a DNS name in lower case of up to 253 characters, without port',
  ],
  [
    'a wildcard in the middle',
    ingress("{rules: [{host: 'a.*.example.com'}]}"),
    'spec.rules[0].host: found "a.*.example.com", expected a DNS name in lower case of up to 253 characters, without port',
  ],
  [
    'an address as host',
    ingress('{rules: [{host: 192.0.2.1}]}'),
    'spec.rules[0].host: found "192.0.2.1": must be a DNS name, not an IP address',
  ],
  [
    'no path type',
    path('path: /'),
    'spec.rules[0].http.paths[0].pathType: found nothing, expected one of Exact, Prefix or ImplementationSpecific',
  ],
  [
    'a misspelt path type',
    path('path: /, pathType: Prefixed'),
    'spec.rules[0].http.paths[0].pathType: found "Prefixed", expected one of Exact, Prefix or ImplementationSpecific (did you mean Prefix?)',
  ],
  [
    'no path',
    path('pathType: Exact'),
    'spec.rules[0].http.paths[0].path: found nothing: path must begin with / when pathType is Exact or Prefix',
  ],
  [
    'a path without slash',
    path('pathType: ImplementationSpecific, path: a'),
    'spec.rules[0].http.paths[0].path: found "a": path must begin with /',
  ],
  [
    'a path that no request has',
    path('pathType: Prefix, path: /a/../b'),
    'spec.rules[0].http.paths[0].path: found "/a/../b": path must have no //, /./, /../ and no %2f when pathType is Exact or Prefix',
  ],
  [
    'a Service without port',
    to('{service: {name: a, port: {}}}'),
    'spec.defaultBackend.service.port: exactly one of name and number must be set',
  ],
  [
    'two backends in one',
    to('{service: {name: a, port: {number: 80}}, resource: {kind: A, name: a}}'),
    'spec.defaultBackend: exactly one of service and resource must be set',
  ],
  [
    'a port as in the versions before',
    to('{serviceName: a, servicePort: 80}'),
    'spec.defaultBackend.serviceName: unknown field, expected service or resource',
    'spec.defaultBackend.servicePort: unknown field, expected service or resource',
  ],
  [
    'a controller without path',
    ingressClass('{controller: sluice.dev}'),
    'spec.controller: found "sluice.dev", expected a domain, a slash and a path of up to 250 characters, such as sluice.dev/gateway-controller',
  ],
  [
    'parameters without namespace',
    ingressClass('{parameters: {kind: EdgeGateway, name: a, scope: Namespace}}'),
    'spec.parameters.namespace: found nothing: namespace must be set when scope is Namespace, and only then',
  ],
  [
    'parameters with a namespace that is not asked for',
    ingressClass('{parameters: {kind: EdgeGateway, name: a, namespace: a}}'),
    'spec.parameters.namespace: found "a": namespace must be set when scope is Namespace, and only then',
  ],
  [
    'a grant from nowhere',
    grant('v1', "{from: [{group: sluice.dev, kind: BackendPool}], to: [{group: '', kind: Service}]}"),
    'spec.from[0].namespace: found nothing, expected a DNS label (lower-case letters, digits and -) of 1 to 63 characters',
  ],
  [
    'a grant without kind',
    grant('v1', "{from: [{group: sluice.dev, kind: '', namespace: a}], to: [{group: ''}]}"),
    'spec.from[0].kind: found "", expected a name of 1 to 63 letters, digits and -',
    'spec.to[0].kind: found nothing, expected a name of 1 to 63 letters, digits and -',
  ],
  [
    'a port that is no number',
    service('{ports: [{port: http}]}'),
    'spec.ports[0].port: found "http", expected an integer between 1 and 65535',
  ],
];

for (const [title, text, ...expected] of invalid) {
  test(`${title} is named`, () => assert.deepEqual(messagesFor(text), expected));
}

test('an IngressClass has no namespace, whatever stands in its file', () => {
  const { kind, namespace, name } = resourceOf(
    '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: a, namespace: b}}',
  );
  assert.deepEqual({ kind, namespace, name }, { kind: 'IngressClass', namespace: '', name: 'a' });
});

test('kinds of the same name in other groups are left alone', () => {
  const text =
    '{apiVersion: serving.knative.dev/v1, kind: Service}\n---\n{apiVersion: config.openshift.io/v1, kind: Ingress}';
  assert.deepEqual(messagesFor(text), [
    'left out, since Sluice does not read objects of this kind from files: Ingress, Service',
  ]);
});

/** The same object as an API server gives it. */
function admitted(resource: Resource): Resource {
  const source = { file: '', admitted: true as const, locate: () => ({ line: 0, column: 0 }) };
  return { ...resource, source } as Resource;
}

test('of what an API server has taken in only our own kinds are checked', () => {
  const newer = resourceOf(ingress('{rules: [{}], someday: 1}'));
  assert.equal(validateResource(newer).length, 1);
  assert.deepEqual(validateResource(admitted(newer)), []);
  const own = resourceOf(
    '{apiVersion: sluice.dev/v1alpha1, kind: BackendPool, metadata: {name: a, someday: 1}, spec: {targets: []}}',
  );
  assert.deepEqual(
    validateResource(admitted(own)).map(({ field }) => field),
    ['spec.targets'],
  );
});

test('a diagnostic about an object of a cluster shows no place', () => {
  const pool = admitted(
    resourceOf(
      '{apiVersion: sluice.dev/v1alpha1, kind: BackendPool, metadata: {name: a}, spec: {targets: []}}',
    ),
  );
  const [diagnostic] = validateResource(pool);
  const text = 'BackendPool default/a: spec.targets: found 0 entries, expected a list of 1 to 256 entries';
  assert.equal(formatDiagnostic(diagnostic!), text);
  assert.equal(formatDiagnostic({ ...diagnostic!, severity: 'warning' }), `warning: ${text}`);
});
