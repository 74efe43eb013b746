"""Many processes spend one lasting budget at the same moment; exactly what it allows must be charged."""
