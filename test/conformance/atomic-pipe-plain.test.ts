// AtomicPipe without the native part, in this process and in those that the suite starts.
process.env['IPCM_NO_NATIVE'] = '1';
await import('./atomic-pipe.test.ts');
