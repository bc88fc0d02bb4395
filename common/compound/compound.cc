// compound.cc -- Open Babel behind compound.h: the only C++ of the project. Everything that Open Babel may throw ends in
// compound_read or compound_init. Formats are called directly, not through OBConversion::Read and Write, which make a locale for every
// molecule: that saves a tenth of the time, and pays for reading the canonical SMILES back.
extern "C" {
#include "micon/base/status.h"
}
#include "compound_impl.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// Open Babel's headers derive from std::binary_function, which C++17 calls deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <openbabel/atom.h>
#include <openbabel/babelconfig.h>
#include <openbabel/bond.h>
#include <openbabel/elements.h>
#include <openbabel/fingerprint.h>
#include <openbabel/mol.h>
#include <openbabel/obconversion.h>
#include <openbabel/oberror.h>
#include <openbabel/obiter.h>
#include <openbabel/op.h>
#include <openbabel/stereo/stereo.h>
#pragma GCC diagnostic pop

namespace ob = OpenBabel;

namespace
{

// A format of Open Babel with a stream of its own.
struct Channel {
    ob::OBConversion conv;
    ob::OBFormat *format = nullptr;
    std::stringstream stream;

    bool open(const char *name, bool input)
    {
        if (!(input ? conv.SetInFormat(name) : conv.SetOutFormat(name))) return false;
        format = input ? conv.GetInFormat() : conv.GetOutFormat();
        if (input)
            conv.SetInStream(&stream, false);
        else
            conv.SetOutStream(&stream, false);
        return format != nullptr;
    }
    bool read(ob::OBMol &mol, const std::string &text)
    {
        mol.Clear();
        stream.clear();
        stream.str(text + "\n");
        return format->ReadMolecule(&mol, &conv);
    }
    // What the format writes, up to the first blank; empty where it fails.
    std::string write(ob::OBMol &mol)
    {
        stream.clear();
        stream.str(std::string());
        if (!format->WriteMolecule(&mol, &conv)) return std::string();
        std::string s = stream.str();
        return s.substr(0, s.find_first_of(" \t\r\n"));
    }
};

struct Babel {
    Channel smi, can, key;
    ob::OBMol mol;
};

std::ostringstream nowhere;
Babel *babel;

Babel *babel_get()
{
    if (babel) return babel;
    ob::obErrorLog.SetOutputStream(&nowhere);
    ob::obErrorLog.SetOutputLevel(ob::obError);
    ob::obErrorLog.StopLogging();
    Babel *b = new Babel;
    if (!b->smi.open("smi", true) || !b->can.open("can", false) || !b->key.open("inchikey", false)) {
        delete b;
        return nullptr;
    }
    b->can.conv.AddOption("n", ob::OBConversion::OUTOPTIONS);              // no title
    b->key.conv.AddOption("w", ob::OBConversion::OUTOPTIONS);              // no warnings of undefined stereochemistry
    b->key.conv.AddOption("X", ob::OBConversion::OUTOPTIONS, "AuxNone");   // no auxiliary text, which takes time and is not used
    return babel = b;
}

void babel_drop()
{
    delete babel;
    babel = nullptr;
}

template <size_t N> void set_text(char (&to)[N], const std::string &s)
{
    size_t n = std::min(N - 1, s.size());
    std::memcpy(to, s.data(), n);
    to[n] = '\0';
}

// "==============================\n*** Open Babel Warning  in ParseSmiles\n  Text\n" -> "Text"
std::string plain_message(const std::string &s)
{
    size_t at = s.find("*** ");
    at = at == std::string::npos ? 0 : s.find('\n', at);
    std::string out;
    for (size_t i = at == std::string::npos ? 0 : at; i < s.size(); i++) {
        char ch = (unsigned char)s[i] < ' ' ? ' ' : (unsigned char)s[i] > '~' ? '?' : s[i];
        if (ch != ' ' || (!out.empty() && out.back() != ' ')) out += ch;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

// Parse with Open Babel's log listened to: its errors and warnings, in that order, become *said.
bool parse_aloud(Babel *b, ob::OBMol &mol, const std::string &smiles, std::string *said)
{
    unsigned before = ob::obErrorLog.GetErrorMessageCount() + ob::obErrorLog.GetWarningMessageCount();
    ob::obErrorLog.ClearLog();
    ob::obErrorLog.StartLogging();
    bool good = b->smi.read(mol, smiles);
    ob::obErrorLog.StopLogging();
    if (ob::obErrorLog.GetErrorMessageCount() + ob::obErrorLog.GetWarningMessageCount() != before) {
        for (ob::obMessageLevel level : {ob::obError, ob::obWarning})
            for (const std::string &m : ob::obErrorLog.GetMessagesOfLevel(level)) {
                if (!said->empty()) *said += "; ";
                *said += plain_message(m);
            }
        nowhere.str(std::string());
    }
    ob::obErrorLog.ClearLog();
    return good;
}

int count_heavy(ob::OBMol &mol)
{
    int n = 0;
    FOR_ATOMS_OF_MOL(a, mol)
    n += a->GetAtomicNum() > 1;
    return n;
}

// Rule 2. The canonical SMILES is taken apart, not the molecule: it has no ring closures between fragments, and stereochemistry
// goes along without any bookkeeping. It is looked at even where the text had no '.': a branch that begins with nothing makes fragments
// too.
bool keep_largest(Babel *b, ob::OBMol &mol, std::string &all, compound *c)
{
    if (all.find('.') == std::string::npos) return true;
    std::set<std::string> parts;
    for (size_t at = 0; at <= all.size();) {
        size_t end = std::min(all.find('.', at), all.size());
        parts.insert(all.substr(at, end - at));
        at = end + 1;
    }
    std::string best;
    int best_heavy = -1;
    long best_weight = -1;
    for (const std::string &part : parts) {
        if (!b->smi.read(mol, part)) continue;
        int heavy = count_heavy(mol);
        long weight = (long)(mol.GetMolWt() * 1000.0 + 0.5);
        std::string own = b->can.write(mol);
        if (heavy < best_heavy || (heavy == best_heavy && weight < best_weight)) continue;
        if (heavy == best_heavy && weight == best_weight && own >= best) continue;
        best = own, best_heavy = heavy, best_weight = weight;
    }
    c->changes |= COMPOUND_CUT_FRAGMENT;
    all = best;
    return (!best.empty() && b->smi.read(mol, best)) ||
           compound_reject(c, COMPOUND_UNREADABLE, "Open Babel cannot read its own canonical SMILES");
}

bool has_neighbour_of_sign(ob::OBAtom *atom, int sign)
{
    FOR_NBORS_OF_ATOM(n, atom)
    if (n->GetFormalCharge() * sign > 0) return true;
    return false;
}

int bonds_of(ob::OBAtom *atom)
{
    return (int)atom->GetExplicitValence() + (int)atom->GetImplicitHCount();
}

bool is_simple_cation(ob::OBAtom *atom)
{
    if (atom->GetFormalCharge() != 1 || atom->GetImplicitHCount() == 0 || has_neighbour_of_sign(atom, -1)) return false;
    switch (atom->GetAtomicNum()) {
    case ob::OBElements::Nitrogen:
    case ob::OBElements::Phosphorus: return bonds_of(atom) == 4;
    case ob::OBElements::Oxygen:
    case ob::OBElements::Sulfur:
    case ob::OBElements::Selenium: return bonds_of(atom) == 3;
    default: return false;
    }
}

bool is_simple_anion(ob::OBAtom *atom)
{
    if (atom->GetFormalCharge() != -1 || has_neighbour_of_sign(atom, 1)) return false;
    switch (atom->GetAtomicNum()) {
    case ob::OBElements::Oxygen:
    case ob::OBElements::Sulfur:
    case ob::OBElements::Selenium:
    case ob::OBElements::Tellurium: return bonds_of(atom) == 1;
    case ob::OBElements::Nitrogen: return bonds_of(atom) == 2;
    case ob::OBElements::Fluorine:
    case ob::OBElements::Chlorine:
    case ob::OBElements::Bromine:
    case ob::OBElements::Iodine: return bonds_of(atom) == 0;
    default: return false;
    }
}

// Rule 3. True if something was changed.
bool neutralize(ob::OBMol &mol)
{
    bool charged = false;
    FOR_ATOMS_OF_MOL(a, mol)
    charged |= a->GetFormalCharge() != 0;
    if (!charged) return false;
    mol.DeleteHydrogens();   // [H] atoms become counts
    std::vector<ob::OBAtom *> cations, anions;
    int others = 0;
    FOR_ATOMS_OF_MOL(a, mol)
    {
        if (is_simple_cation(&*a))
            cations.push_back(&*a);
        else if (is_simple_anion(&*a))
            anions.push_back(&*a);
        else
            others += a->GetFormalCharge();
    }
    if (others > 0) anions.clear();
    if (others < 0) cations.clear();
    if (cations.empty() && anions.empty()) return false;
    for (ob::OBAtom *a : cations) {
        a->SetFormalCharge(0);
        a->SetImplicitHCount(a->GetImplicitHCount() - 1);
    }
    for (ob::OBAtom *a : anions) {
        a->SetFormalCharge(0);
        a->SetImplicitHCount(a->GetImplicitHCount() + 1);
    }
    mol.SetAromaticPerceived(false);
    return true;
}

// Rule 5: mol becomes the molecule its canonical SMILES says. A changed molecule may say itself differently once read back (a
// nitrogen that lost the hydrogen of its stereo mark): what it says then is taken.
bool settle(Babel *b, ob::OBMol &mol, std::string &s, compound *c)
{
    if (s.empty()) return compound_reject(c, COMPOUND_UNREADABLE, "Open Babel writes no canonical SMILES of it");
    for (int round = 0; round < 3; round++) {
        if (!b->smi.read(mol, s)) return compound_reject(c, COMPOUND_UNREADABLE, "Open Babel cannot read its own canonical SMILES");
        if (!(c->changes & (COMPOUND_NEUTRALIZED | COMPOUND_WARNED))) break;
        std::string again = b->can.write(mol);
        if (again == s || again.empty()) break;
        s = again;
    }
    if (s.size() >= sizeof c->smiles) return compound_reject(c, COMPOUND_TOO_LARGE, "its canonical SMILES is too long");
    set_text(c->smiles, s);
    return true;
}

bool looks_like_key(const std::string &s)
{
    if (s.size() != COMPOUND_KEY - 1 || s[14] != '-' || s[25] != '-') return false;
    for (size_t i = 0; i < s.size(); i++)
        if (i != 14 && i != 25 && (s[i] < 'A' || s[i] > 'Z')) return false;
    return true;
}

bool take_fingerprint(ob::OBMol &mol, compound_kind k, int bits, compound *c)
{
    const unsigned per_word = 32;
    std::vector<unsigned int> words;
    ob::OBFingerprint *f = ob::OBFingerprint::FindFingerprint(compound_kind_name(k));
    if (!f || !f->GetFingerprint(&mol, words, bits) || words.size() * per_word != (size_t)bits)
        return compound_reject(c, COMPOUND_NO_FINGERPRINT, "Open Babel gives no fingerprint of it");
    bool any = false;
    for (size_t i = 0; i < (size_t)bits; i++)
        if (words[i / per_word] >> i % per_word & 1u) {
            c->fingerprint[i / 8] = (uint8_t)(c->fingerprint[i / 8] | 1u << i % 8);
            any = true;
        }
    return any || compound_reject(c, COMPOUND_NO_FINGERPRINT, "no bit of the fingerprint is set");
}

bool read_babel(compound *c, const std::string &smiles, compound_kind k, int bits)
{
    Babel *b = babel_get();
    if (!b) return compound_reject(c, COMPOUND_CRASHED, "Open Babel is not complete");
    ob::OBMol &mol = b->mol;
    std::string said;
    if (!parse_aloud(b, mol, smiles, &said))
        return compound_reject(c, COMPOUND_UNREADABLE, said.empty() ? "Open Babel cannot read it" : said.c_str());
    // Open Babel goes on with single bonds then: another molecule.
    if (said.find("ekulize") != std::string::npos) return compound_reject(c, COMPOUND_UNREADABLE, said.c_str());
    if (!said.empty()) c->changes |= COMPOUND_WARNED;
    int heavy = count_heavy(mol);
    if (heavy == 0) return compound_reject(c, COMPOUND_NO_ATOMS, "there is nothing but hydrogen or '*' in it");
    if (heavy > COMPOUND_MAX_ATOMS) {
        said = "it has " + std::to_string(heavy) + " heavy atoms; " + std::to_string((int)COMPOUND_MAX_ATOMS) + " are allowed";
        return compound_reject(c, COMPOUND_TOO_LARGE, said.c_str());
    }
    std::string standard = b->can.write(mol);
    if (!keep_largest(b, mol, standard, c)) return false;
    if (neutralize(mol)) {
        c->changes |= COMPOUND_NEUTRALIZED;
        standard = b->can.write(mol);
    }
    if (!settle(b, mol, standard, c) || !take_fingerprint(mol, k, bits, c)) return false;
    std::string key = b->key.write(mol);
    if (looks_like_key(key))
        set_text(c->key, key);
    else
        c->state = COMPOUND_NO_INCHIKEY;
    c->n_heavy = count_heavy(mol);
    c->charge = mol.GetTotalCharge();
    c->weight = std::floor(mol.GetMolWt() * 1e4 + 0.5) / 1e4;
    set_text(c->formula, mol.GetFormula());
    set_text(c->reason, said);
    return true;
}

// "NH2", "O-", "13C"; nothing for a carbon without charge or isotope.
std::string label_of(ob::OBAtom &atom)
{
    unsigned z = atom.GetAtomicNum(), hydrogens = atom.GetImplicitHCount(), isotope = atom.GetIsotope();
    int charge = atom.GetFormalCharge();
    if (z == ob::OBElements::Carbon && charge == 0 && isotope == 0 && atom.GetExplicitDegree() > 0) return std::string();
    std::string s = isotope ? std::to_string(isotope) : std::string();
    s += z ? ob::OBElements::GetSymbol(z) : "*";
    if (hydrogens) s += hydrogens > 1 ? "H" + std::to_string(hydrogens) : "H";
    if (charge) s += (std::abs(charge) > 1 ? std::to_string(std::abs(charge)) : std::string()) + (charge > 0 ? "+" : "-");
    return s;
}

// Positions are scaled so that a bond is 10 long in the middle of all bonds.
double bond_length(ob::OBMol &mol)
{
    std::vector<double> length;
    FOR_BONDS_OF_MOL(b, mol)
    {
        ob::OBAtom *i = b->GetBeginAtom(), *j = b->GetEndAtom();
        length.push_back(std::hypot(i->GetX() - j->GetX(), i->GetY() - j->GetY()));
    }
    if (length.empty()) return 1;
    std::nth_element(length.begin(), length.begin() + (std::ptrdiff_t)length.size() / 2, length.end());
    double middle = length[length.size() / 2];
    return middle > 1e-6 ? middle : 1;
}

bool draw_babel(const std::string &smiles, std::string &out)
{
    Babel *b = babel_get();
    ob::OBOp *layout = ob::OBOp::FindType("gen2D");
    if (!b || !layout || !b->smi.read(b->mol, smiles) || !layout->Do(&b->mol)) return false;
    ob::OBMol &mol = b->mol;
    double unit = 10 / bond_length(mol);
    char word[64];
    std::map<ob::OBBond *, ob::OBStereo::BondDirection> way;
    std::map<ob::OBBond *, ob::OBStereo::Ref> from;
    ob::TetStereoToWedgeHash(mol, way, from);
    out = "{\"a\":[";
    FOR_ATOMS_OF_MOL(a, mol)
    {
        if (!std::isfinite(a->GetX()) || !std::isfinite(a->GetY())) return false;
        std::snprintf(word, sizeof word, "%s[%.0f,%.0f,\"", a->GetIdx() > 1 ? "," : "", a->GetX() * unit, -a->GetY() * unit);
        out += word + label_of(*a) + "\"]";
    }
    out += "],\"b\":[";
    FOR_BONDS_OF_MOL(bond, mol)
    {
        unsigned i = bond->GetBeginAtomIdx() - 1, j = bond->GetEndAtomIdx() - 1;
        auto w = way.find(&*bond);
        auto f = from.find(&*bond);
        int kind = w == way.end() ? 0 : w->second == ob::OBStereo::UpBond ? 1 : w->second == ob::OBStereo::DownBond ? 2 : 0;
        if (kind && f != from.end() && f->second == bond->GetEndAtom()->GetId()) std::swap(i, j);
        std::snprintf(word, sizeof word, "%s[%u,%u,%u,%d]", out.back() == '[' ? "" : ",", i, j, bond->GetBondOrder(), kind);
        out += word;
    }
    out += "]}";
    return true;
}

}   // namespace

extern "C" {

const char *compound_library(void)
{
    static const std::string name = "Open Babel " + ob::OBReleaseVersion();
    return name.c_str();
}

status compound_init(compound_kind k)
{
    const char *dir = std::getenv("BABEL_LIBDIR");
    try {
        if (!babel_get())
            return fail(E_FAILED,
                        "Open Babel (%s) does not find its formats smi, can and inchikey: set BABEL_LIBDIR to the folder of its plugins "
                        "(inchiformat.so, smilesformat.so), now '%s'",
                        BABEL_VERSION, dir ? dir : "");
        if (!ob::OBFingerprint::FindFingerprint(compound_kind_name(k)))
            return fail(E_FAILED,
                        "Open Babel (%s) has no fingerprint %s: set BABEL_LIBDIR to the folder of its plugins (plugin_fingerprints.so), "
                        "now '%s'; ECFP needs version 3",
                        BABEL_VERSION, compound_kind_name(k), dir ? dir : "");
    } catch (...) {
        return fail(E_FAILED, "Open Babel (%s) cannot be started; BABEL_LIBDIR is '%s'", BABEL_VERSION, dir ? dir : "");
    }
    return OK;
}

void compound_read(compound *out, const char *smiles, size_t size, compound_kind k, int bits)
{
    *out = compound{};
    try {
        if (compound_refuse(out, smiles, size)) return;
        size_t begin, end;
        if (smiles_trim(smiles, size, &begin, &end)) out->changes |= COMPOUND_CUT_TEXT;
        read_babel(out, std::string(smiles + begin, end - begin), k, bits);
    } catch (const std::exception &e) {
        babel_drop();   // whatever state it is in
        compound_reject(out, COMPOUND_CRASHED, e.what());
    } catch (...) {
        babel_drop();
        compound_reject(out, COMPOUND_CRASHED, "Open Babel threw");
    }
}

size_t compound_draw(const char *smiles, size_t size, char *out, size_t room)
{
    try {
        std::string text;
        if (!draw_babel(std::string(smiles, size), text) || text.size() > room) return 0;
        std::memcpy(out, text.data(), text.size());
        return text.size();
    } catch (...) {
        babel_drop();
        return 0;
    }
}
}
