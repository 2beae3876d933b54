import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCodes } from '../compile/index.ts';
import { type Diagnostic, diagnosticCodes } from '../resources/index.ts';
import { foremost, isDecisive, verdictOf, verdicts } from './verdicts.ts';

function diagnostic(code: string, severity: Diagnostic['severity'] = 'error'): Diagnostic {
  return { severity, code, object: 'EdgeGateway a/b', file: '', line: 0, column: 0, field: '', message: '' };
}

test('every code has a verdict, and no verdict is for a code that does not exist', () => {
  assert.deepEqual(Object.keys(verdicts).sort(), Object.keys(compileCodes).sort());
  for (const code of Object.keys(diagnosticCodes)) {
    assert.deepEqual(verdictOf(code), { condition: 'Accepted', reason: 'Invalid' }, code);
  }
});

test('reasons are words that Kubernetes takes', () => {
  for (const { reason } of Object.values(verdicts)) assert.match(reason, /^[A-Z][A-Za-z]+$/);
});

test('a warning decides only where what was written does not hold', () => {
  assert.ok(isDecisive(diagnostic('CertificateExpired')));
  assert.ok(!isDecisive(diagnostic('CertificateExpiresSoon', 'warning')));
  assert.ok(isDecisive(diagnostic('NotServedProtocol', 'warning')));
  assert.ok(isDecisive(diagnostic('KeptLastGood', 'warning')));
});

test('of several reasons the one that explains the others is given', () => {
  const order = (...codes: string[]) => foremost(codes.map((code) => diagnostic(code)))?.code;
  assert.equal(order('InvalidCertificateRef', 'RefNotPermitted'), 'RefNotPermitted');
  assert.equal(order('TargetNotFound', 'WrongType'), 'WrongType');
  assert.equal(order(), undefined);
});
