// babel_loop.cc FILE ECFP4 1024 -- the peer of micon-featurize: a plain loop over Open Babel in one process. FILE holds a SMILES a line.
// Prints rows and seconds. Parse, canonical SMILES, InChIKey, fingerprint, by Open Babel's usual calls; nothing is kept.
#include <openbabel/fingerprint.h>
#include <openbabel/mol.h>
#include <openbabel/obconversion.h>
#include <openbabel/oberror.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    using namespace OpenBabel;
    if (argc != 4) return 2;
    obErrorLog.StopLogging();
    OBConversion in, can, key;
    OBFingerprint *fp = nullptr;
    if (!in.SetInFormat("smi") || !can.SetOutFormat("can") || !key.SetOutFormat("inchikey") ||
        !(fp = OBFingerprint::FindFingerprint(argv[2])))
        return 1;
    key.AddOption("w", OBConversion::OUTOPTIONS);
    std::vector<std::string> smiles;
    std::ifstream file(argv[1]);
    for (std::string line; std::getline(file, line);) smiles.push_back(line);
    auto start = std::chrono::steady_clock::now();
    long n = 0, bytes = 0;
    for (const std::string &s : smiles) {
        OBMol mol;
        std::vector<unsigned> bits;
        if (!in.ReadString(&mol, s)) continue;
        bytes += (long)(can.WriteString(&mol, true).size() + key.WriteString(&mol, true).size());
        fp->GetFingerprint(&mol, bits, std::atoi(argv[3]));
        n++;
    }
    std::printf("%ld %.6f %ld\n", n, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), bytes);
}
