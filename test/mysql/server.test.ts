import { familyTests } from '../mysql-family/family.ts';

familyTests('MySQL');
