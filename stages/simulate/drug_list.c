/* drug_list.c -- the compounds of a simulated screen: known drugs by mechanism, and for each mechanism one of them with a small group
 * put in another place. Written from general knowledge; stereochemistry is left out. Whether a molecule really acts so in a
 * cell does not matter here: the names give families of similar structures a label. */
#include "simulate.h"

#include <string.h>

enum { REAL = 4, GROUPS = 5 };

typedef struct {
    const char *mechanism;
    const char *real[REAL]; /* "name SMILES" */
    const char *stem;       /* SMILES with {} where a group goes */
} family;

static const char *const groups[GROUPS] = {"F", "Cl", "C", "OC", "C(F)(F)F"};
static const char *const group_names[GROUPS] = {"fluoro", "chloro", "methyl", "methoxy", "trifluoromethyl"};

static const family families[] = {
    {"HMG-CoA reductase inhibitor",
     {"atorvastatin CC(C)c1c(C(=O)Nc2ccccc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CCC(O)CC(O)CC(=O)O",
      "fluvastatin CC(C)n1c(C=CC(O)CC(O)CC(=O)O)c(-c2ccc(F)cc2)c2ccccc12",
      "rosuvastatin CC(C)c1nc(N(C)S(C)(=O)=O)nc(-c2ccc(F)cc2)c1C=CC(O)CC(O)CC(=O)O",
      "pitavastatin OC(=O)CC(O)CC(O)C=Cc1c(C2CC2)nc2ccccc2c1-c1ccc(F)cc1"},
     "CC(C)c1c(C(=O)Nc2ccc({})cc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CCC(O)CC(O)CC(=O)O"},
    {"beta adrenergic receptor antagonist",
     {"atenolol CC(C)NCC(O)COc1ccc(CC(N)=O)cc1", "metoprolol COCCc1ccc(OCC(O)CNC(C)C)cc1", "bisoprolol CC(C)NCC(O)COc1ccc(COCCOC(C)C)cc1",
      "propranolol CC(C)NCC(O)COc1cccc2ccccc12"},
     "CC(C)NCC(O)COc1ccc(CC(N)=O)cc1{}"},
    {"cyclooxygenase inhibitor",
     {"ibuprofen CC(C)Cc1ccc(C(C)C(=O)O)cc1", "naproxen COc1ccc2cc(C(C)C(=O)O)ccc2c1", "ketoprofen CC(C(=O)O)c1cccc(C(=O)c2ccccc2)c1",
      "flurbiprofen CC(C(=O)O)c1ccc(-c2ccccc2)c(F)c1"},
     "CC(C(=O)O)c1cccc(C(=O)c2ccc({})cc2)c1"},
    {"cyclooxygenase-2 inhibitor",
     {"rofecoxib CS(=O)(=O)c1ccc(C2=C(c3ccccc3)C(=O)OC2)cc1", "valdecoxib Cc1onc(-c2ccccc2)c1-c1ccc(S(N)(=O)=O)cc1",
      "etoricoxib Cc1ccc(-c2ncc(Cl)cc2-c2ccc(S(C)(=O)=O)cc2)cn1", "deracoxib COc1ccc(-c2cc(C(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1F"},
     "c1cc({})ccc1-c1cc(C(F)(F)F)nn1-c1ccc(S(N)(=O)=O)cc1"},
    {"serotonin transporter inhibitor",
     {"fluoxetine CNCCC(Oc1ccc(C(F)(F)F)cc1)c1ccccc1", "citalopram CN(C)CCCC1(c2ccc(F)cc2)OCc2cc(C#N)ccc12",
      "sertraline CNC1CCC(c2ccc(Cl)c(Cl)c2)c2ccccc12", "paroxetine Fc1ccc(C2CCNCC2COc2ccc3OCOc3c2)cc1"},
     "CNCCC(Oc1ccc(C(F)(F)F)cc1)c1ccc({})cc1"},
    {"norepinephrine transporter inhibitor",
     {"imipramine CN(C)CCCN1c2ccccc2CCc2ccccc12", "desipramine CNCCCN1c2ccccc2CCc2ccccc12",
      "clomipramine CN(C)CCCN1c2ccccc2CCc2ccc(Cl)cc12", "amitriptyline CN(C)CCC=C1c2ccccc2CCc2ccccc12"},
     "CN(C)CCCN1c2ccccc2CCc2cc({})ccc12"},
    {"dopamine receptor antagonist",
     {"chlorpromazine CN(C)CCCN1c2ccccc2Sc2ccc(Cl)cc12", "promazine CN(C)CCCN1c2ccccc2Sc2ccccc12",
      "trifluoperazine CN1CCN(CCCN2c3ccccc3Sc3ccc(C(F)(F)F)cc23)CC1", "fluphenazine OCCN1CCN(CCCN2c3ccccc3Sc3ccc(C(F)(F)F)cc23)CC1"},
     "CN1CCN(CCCN2c3ccccc3Sc3cc({})ccc23)CC1"},
    {"sigma receptor ligand",
     {"haloperidol O=C(CCCN1CCC(O)(c2ccc(Cl)cc2)CC1)c1ccc(F)cc1", "droperidol Fc1ccc(cc1)C(=O)CCCN1CCC(=CC1)n1c(=O)[nH]c2ccccc12",
      "bromperidol O=C(CCCN1CCC(O)(c2ccc(Br)cc2)CC1)c1ccc(F)cc1", "benperidol O=C(CCCN1CCC(CC1)n1c(=O)[nH]c2ccccc12)c1ccc(F)cc1"},
     "O=C(CCCN1CCC(O)(c2cccc({})c2)CC1)c1ccc(F)cc1"},
    {"GABA receptor modulator",
     {"diazepam CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc12", "nordazepam O=C1CN=C(c2ccccc2)c2cc(Cl)ccc2N1",
      "temazepam CN1C(=O)C(O)N=C(c2ccccc2)c2cc(Cl)ccc12", "nitrazepam O=C1CN=C(c2ccccc2)c2cc([N+](=O)[O-])ccc2N1"},
     "CN1C(=O)CN=C(c2cccc({})c2)c2cc(Cl)ccc12"},
    {"EGFR inhibitor",
     {"gefitinib COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1", "erlotinib COCCOc1cc2ncnc(Nc3cccc(C#C)c3)c2cc1OCCOC",
      "afatinib CN(C)CC=CC(=O)Nc1cc2c(Nc3ccc(F)c(Cl)c3)ncnc2cc1OC1CCOC1", "vandetanib COc1cc2c(Nc3ccc(Br)cc3F)ncnc2cc1OCC1CCN(C)CC1"},
     "COc1cc2ncnc(Nc3cccc({})c3)c2cc1OCCCN1CCOCC1"},
    {"ABL kinase inhibitor",
     {"imatinib Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
      "nilotinib Cc1ccc(C(=O)Nc2cc(-n3cnc(C)c3)cc(C(F)(F)F)c2)cc1Nc1nccc(-c2cccnc2)n1",
      "ponatinib Cc1ccc(C(=O)Nc2ccc(CN3CCN(C)CC3)c(C(F)(F)F)c2)cc1C#Cc1cnc2cccnn12",
      "dasatinib Cc1nc(Nc2ncc(C(=O)Nc3c(C)cccc3Cl)s2)cc(N2CCN(CCO)CC2)n1"},
     "Cc1ccc(NC(=O)c2cc({})c(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1"},
    {"VEGFR inhibitor",
     {"sorafenib CNC(=O)c1cc(Oc2ccc(NC(=O)Nc3ccc(Cl)c(C(F)(F)F)c3)cc2)ccn1",
      "regorafenib CNC(=O)c1cc(Oc2ccc(NC(=O)Nc3ccc(Cl)c(C(F)(F)F)c3)c(F)c2)ccn1",
      "lenvatinib COc1cc2nccc(Oc3ccc(NC(=O)NC4CC4)c(Cl)c3)c2cc1C(N)=O", "tivozanib COc1cc2nccc(Oc3ccc(NC(=O)Nc4cc(C)on4)c(Cl)c3)c2cc1OC"},
     "CNC(=O)c1cc(Oc2ccc(NC(=O)Nc3cc(C(F)(F)F)cc({})c3)cc2)ccn1"},
    {"RAF inhibitor",
     {"vemurafenib CCCS(=O)(=O)Nc1ccc(F)c(C(=O)c2c[nH]c3ncc(-c4ccc(Cl)cc4)cc23)c1F",
      "PLX-4720 CCCS(=O)(=O)Nc1ccc(F)c(C(=O)c2c[nH]c3ncc(Cl)cc23)c1F",
      "dabrafenib CC(C)(C)c1nc(-c2cccc(NS(=O)(=O)c3c(F)cccc3F)c2F)c(-c2ccnc(N)n2)s1"},
     "CCCS(=O)(=O)Nc1ccc(F)c(C(=O)c2c[nH]c3ncc(-c4cccc({})c4)cc23)c1F"},
    {"CDK inhibitor",
     {"palbociclib CC(=O)c1c(C)c2cnc(Nc3ccc(N4CCNCC4)cn3)nc2n(C2CCCC2)c1=O",
      "ribociclib CN(C)C(=O)c1cc2cnc(Nc3ccc(N4CCNCC4)cn3)nc2n1C1CCCC1",
      "abemaciclib CCN1CCN(Cc2ccc(Nc3ncc(F)c(-c4cc(F)c5nc(C)n(C(C)C)c5c4)n3)nc2)CC1"},
     "CN(C)C(=O)c1cc2cnc(Nc3ccc(N4CCNCC4)c({})n3)nc2n1C1CCCC1"},
    {"PARP inhibitor",
     {"olaparib O=C(C1CC1)N1CCN(C(=O)c2cc(Cc3n[nH]c(=O)c4ccccc34)ccc2F)CC1", "niraparib NC(=O)c1cccc2cn(-c3ccc(C4CCCNC4)cc3)nc12",
      "veliparib CC1(c2nc3c(C(N)=O)cccc3[nH]2)CCCN1", "rucaparib CNCc1ccc(-c2[nH]c3cc(F)cc4c3c2CCNC4=O)cc1"},
     "O=C(C1CC1)N1CCN(C(=O)c2cc(Cc3n[nH]c(=O)c4cc({})ccc34)ccc2F)CC1"},
    {"HDAC inhibitor",
     {"vorinostat ONC(=O)CCCCCCC(=O)Nc1ccccc1", "panobinostat Cc1[nH]c2ccccc2c1CCNCc1ccc(C=CC(=O)NO)cc1",
      "belinostat ONC(=O)C=Cc1cccc(S(=O)(=O)Nc2ccccc2)c1", "entinostat Nc1ccccc1NC(=O)c1ccc(CNC(=O)OCc2cccnc2)cc1"},
     "ONC(=O)C=Cc1cccc(S(=O)(=O)Nc2ccc({})cc2)c1"},
    {"tubulin polymerization inhibitor",
     {"colchicine COc1cc2CCC(NC(C)=O)c3cc(=O)c(OC)ccc3-c2c(OC)c1OC", "nocodazole COC(=O)Nc1nc2cc(C(=O)c3cccs3)ccc2[nH]1",
      "albendazole CCCSc1ccc2[nH]c(NC(=O)OC)nc2c1", "mebendazole COC(=O)Nc1nc2cc(C(=O)c3ccccc3)ccc2[nH]1"},
     "COC(=O)Nc1nc2cc(C(=O)c3ccc({})cc3)ccc2[nH]1"},
    {"topoisomerase inhibitor",
     {"ciprofloxacin OC(=O)c1cn(C2CC2)c2cc(N3CCNCC3)c(F)cc2c1=O", "norfloxacin CCn1cc(C(=O)O)c(=O)c2cc(F)c(N3CCNCC3)cc12",
      "pefloxacin CCn1cc(C(=O)O)c(=O)c2cc(F)c(N3CCN(C)CC3)cc12", "moxifloxacin COc1c(N2CC3CCCNC3C2)c(F)cc2c(=O)c(C(=O)O)cn(C3CC3)c12"},
     "OC(=O)c1cn(C2CC2)c2c({})c(N3CCNCC3)c(F)cc2c1=O"},
    {"dihydropteroate synthase inhibitor",
     {"sulfamethoxazole Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1", "sulfadiazine Nc1ccc(S(=O)(=O)Nc2ncccn2)cc1",
      "sulfamerazine Cc1ccnc(NS(=O)(=O)c2ccc(N)cc2)n1", "sulfadimethoxine COc1cc(NS(=O)(=O)c2ccc(N)cc2)nc(OC)n1"},
     "Nc1ccc(S(=O)(=O)Nc2ncc({})cn2)cc1"},
    {"cell wall synthesis inhibitor",
     {"ampicillin CC1(C)SC2C(NC(=O)C(N)c3ccccc3)C(=O)N2C1C(=O)O", "amoxicillin CC1(C)SC2C(NC(=O)C(N)c3ccc(O)cc3)C(=O)N2C1C(=O)O",
      "benzylpenicillin CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", "oxacillin Cc1onc(-c2ccccc2)c1C(=O)NC1C(=O)N2C1SC(C)(C)C2C(=O)O"},
     "CC1(C)SC2C(NC(=O)Cc3ccc({})cc3)C(=O)N2C1C(=O)O"},
    {"glucocorticoid receptor agonist",
     {"dexamethasone CC1CC2C3CCC4=CC(=O)C=CC4(C)C3(F)C(O)CC2(C)C1(O)C(=O)CO",
      "prednisolone CC12CC(O)C3C(CCC4=CC(=O)C=CC34C)C1CCC2(O)C(=O)CO", "hydrocortisone CC12CCC(=O)C=C1CCC1C2C(O)CC2(C)C1CCC2(O)C(=O)CO",
      "triamcinolone CC12CC(O)C3(F)C(CCC4=CC(=O)C=CC34C)C1CC(O)C2(O)C(=O)CO"},
     "CC1CC2C3CC({})C4=CC(=O)C=CC4(C)C3(F)C(O)CC2(C)C1(O)C(=O)CO"},
    {"estrogen receptor modulator",
     {"tamoxifen CCC(=C(c1ccccc1)c1ccc(OCCN(C)C)cc1)c1ccccc1", "toremifene CN(C)CCOc1ccc(C(=C(CCCl)c2ccccc2)c2ccccc2)cc1",
      "clomifene CCN(CC)CCOc1ccc(C(=C(Cl)c2ccccc2)c2ccccc2)cc1", "raloxifene Oc1ccc(cc1)-c1sc2cc(O)ccc2c1C(=O)c1ccc(OCCN2CCCCC2)cc1"},
     "CCC(=C(c1ccc({})cc1)c1ccc(OCCN(C)C)cc1)c1ccccc1"},
    {"ACE inhibitor",
     {"enalapril CCOC(=O)C(CCc1ccccc1)NC(C)C(=O)N1CCCC1C(=O)O", "lisinopril NCCCCC(NC(CCc1ccccc1)C(=O)O)C(=O)N1CCCC1C(=O)O",
      "ramipril CCOC(=O)C(CCc1ccccc1)NC(C)C(=O)N1C2CCCC2CC1C(=O)O", "quinapril CCOC(=O)C(CCc1ccccc1)NC(C)C(=O)N1Cc2ccccc2CC1C(=O)O"},
     "CCOC(=O)C(CCc1ccc({})cc1)NC(C)C(=O)N1CCCC1C(=O)O"},
    {"angiotensin receptor antagonist",
     {"losartan CCCCc1nc(Cl)c(CO)n1Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1", "valsartan CCCCC(=O)N(Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1)C(C(C)C)C(=O)O",
      "irbesartan CCCCC1=NC2(CCCC2)C(=O)N1Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1",
      "candesartan CCOc1nc2cccc(C(=O)O)c2n1Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1"},
     "CCCCc1nc(Cl)c(CO)n1Cc1ccc(-c2cc({})ccc2-c2nnn[nH]2)cc1"},
    {"calcium channel blocker",
     {"nifedipine COC(=O)C1=C(C)NC(C)=C(C(=O)OC)C1c1ccccc1[N+](=O)[O-]",
      "nitrendipine CCOC(=O)C1=C(C)NC(C)=C(C(=O)OC)C1c1cccc([N+](=O)[O-])c1", "felodipine CCOC(=O)C1=C(C)NC(C)=C(C(=O)OC)C1c1cccc(Cl)c1Cl",
      "nimodipine COCCOC(=O)C1=C(C)NC(C)=C(C(=O)OC(C)C)C1c1cccc([N+](=O)[O-])c1"},
     "CCOC(=O)C1=C(C)NC(C)=C(C(=O)OC)C1c1ccc({})cc1"},
    {"proton pump inhibitor",
     {"omeprazole COc1ccc2[nH]c(S(=O)Cc3ncc(C)c(OC)c3C)nc2c1", "lansoprazole Cc1c(OCC(F)(F)F)ccnc1CS(=O)c1nc2ccccc2[nH]1",
      "rabeprazole COCCCOc1ccnc(CS(=O)c2nc3ccccc3[nH]2)c1C", "pantoprazole COc1ccnc(CS(=O)c2nc3cc(OC(F)F)ccc3[nH]2)c1OC"},
     "Cc1c(OCC(F)(F)F)ccnc1CS(=O)c1nc2cc({})ccc2[nH]1"},
    {"histamine receptor antagonist",
     {"loratadine CCOC(=O)N1CCC(=C2c3ccc(Cl)cc3CCc3cccnc23)CC1", "desloratadine Clc1ccc2c(CCc3cccnc3C2=C2CCNCC2)c1",
      "cetirizine OC(=O)COCCN1CCN(C(c2ccccc2)c2ccc(Cl)cc2)CC1", "hydroxyzine OCCOCCN1CCN(C(c2ccccc2)c2ccc(Cl)cc2)CC1"},
     "OC(=O)COCCN1CCN(C(c2ccccc2)c2cccc({})c2)CC1"},
    {"sterol demethylase inhibitor",
     {"fluconazole OC(Cn1cncn1)(Cn1cncn1)c1ccc(F)cc1F", "miconazole Clc1ccc(COC(Cn2ccnc2)c2ccc(Cl)cc2Cl)c(Cl)c1",
      "econazole Clc1ccc(COC(Cn2ccnc2)c2ccc(Cl)cc2Cl)cc1", "clotrimazole Clc1ccccc1C(c1ccccc1)(c1ccccc1)n1ccnc1"},
     "c1c({})cccc1COC(Cn1ccnc1)c1ccc(Cl)cc1Cl"},
    {"phosphodiesterase inhibitor",
     {"sildenafil CCCc1nn(C)c2c1nc([nH]c2=O)-c1cc(S(=O)(=O)N2CCN(C)CC2)ccc1OCC",
      "vardenafil CCCc1nc(C)c2c(=O)[nH]c(nn12)-c1cc(S(=O)(=O)N2CCN(CC)CC2)ccc1OCC",
      "tadalafil CN1CC(=O)N2C(Cc3c([nH]c4ccccc34)C2c2ccc3OCOc3c2)C1=O"},
     "CCCc1nn(C)c2c1nc([nH]c2=O)-c1cc(S(=O)(=O)N2CCN(C)CC2)c({})cc1OCC"},
    {"dipeptidyl peptidase inhibitor",
     {"sitagliptin NC(CC(=O)N1CCn2c(C1)nnc2C(F)(F)F)Cc1cc(F)c(F)cc1F", "alogliptin Cn1c(=O)cc(N2CCCC(N)C2)n(Cc2ccccc2C#N)c1=O",
      "vildagliptin OC12CC3CC(C1)CC(C3)(C2)NCC(=O)N1CCCC1C#N",
      "linagliptin CC#CCn1c(N2CCCC(N)C2)nc2n(C)c(=O)n(Cc3nc(C)c4ccccc4n3)c(=O)c12"},
     "Cn1c(=O)c({})c(N2CCCC(N)C2)n(Cc2ccccc2C#N)c1=O"},
    {"potassium channel blocker",
     {"glibenclamide COc1ccc(Cl)cc1C(=O)NCCc1ccc(S(=O)(=O)NC(=O)NC2CCCCC2)cc1",
      "glipizide Cc1cnc(C(=O)NCCc2ccc(S(=O)(=O)NC(=O)NC3CCCCC3)cc2)cn1", "tolbutamide CCCCNC(=O)NS(=O)(=O)c1ccc(C)cc1",
      "chlorpropamide CCCNC(=O)NS(=O)(=O)c1ccc(Cl)cc1"},
     "COc1cc({})ccc1C(=O)NCCc1ccc(S(=O)(=O)NC(=O)NC2CCCCC2)cc1"},
    {"PPAR agonist",
     {"rosiglitazone CN(CCOc1ccc(CC2SC(=O)NC2=O)cc1)c1ccccn1", "pioglitazone CCc1ccc(CCOc2ccc(CC3SC(=O)NC3=O)cc2)nc1",
      "troglitazone Cc1c(C)c2c(CCC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)O2)c(C)c1O", "ciglitazone CC1(COc2ccc(CC3SC(=O)NC3=O)cc2)CCCCC1"},
     "CN(CCOc1ccc(CC2SC(=O)NC2=O)cc1)c1ccc({})cn1"},
    {"DNA synthesis inhibitor",
     {"cytarabine Nc1ccn(C2OC(CO)C(O)C2O)c(=O)n1", "gemcitabine Nc1ccn(C2OC(CO)C(O)C2(F)F)c(=O)n1",
      "decitabine Nc1ncn(C2CC(O)C(CO)O2)c(=O)n1", "azacitidine Nc1ncn(C2OC(CO)C(O)C2O)c(=O)n1"},
     "Nc1nc(=O)n(C2OC(CO)C(O)C2O)cc1{}"},
    {"dihydrofolate reductase inhibitor",
     {"methotrexate CN(Cc1cnc2nc(N)nc(N)c2n1)c1ccc(C(=O)NC(CCC(=O)O)C(=O)O)cc1", "trimethoprim COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC",
      "pyrimethamine CCc1nc(N)nc(N)c1-c1ccc(Cl)cc1", "aminopterin Nc1nc(N)c2nc(CNc3ccc(C(=O)NC(CCC(=O)O)C(=O)O)cc3)cnc2n1"},
     "COc1cc(Cc2cnc(N)nc2N)c({})c(OC)c1OC"},
    {"adenosine receptor antagonist",
     {"caffeine Cn1cnc2c1c(=O)n(C)c(=O)n2C", "theophylline Cn1c(=O)c2[nH]cnc2n(C)c1=O",
      "pentoxifylline CC(=O)CCCCn1c(=O)c2n(C)cnc2n(C)c1=O", "doxofylline Cn1c(=O)c2n(CC3OCCO3)cnc2n(C)c1=O"},
     "Cn1c({})nc2c1c(=O)n(C)c(=O)n2C"},
    {"autophagy inhibitor",
     {"chloroquine CCN(CC)CCCC(C)Nc1ccnc2cc(Cl)ccc12", "hydroxychloroquine CCN(CCO)CCCC(C)Nc1ccnc2cc(Cl)ccc12",
      "amodiaquine CCN(CC)Cc1cc(Nc2ccnc3cc(Cl)ccc23)ccc1O", "mefloquine OC(C1CCCCN1)c1cc(nc2c(cccc12)C(F)(F)F)C(F)(F)F"},
     "CCN(CC)CCCC(C)Nc1ccnc2cc(Cl)c({})cc12"},
    {"sodium channel blocker",
     {"lidocaine CCN(CC)CC(=O)Nc1c(C)cccc1C", "bupivacaine CCCCN1CCCCC1C(=O)Nc1c(C)cccc1C", "mepivacaine CN1CCCCC1C(=O)Nc1c(C)cccc1C",
      "procaine CCN(CC)CCOC(=O)c1ccc(N)cc1"},
     "CCCCN1CCCCC1C(=O)Nc1c(C)cc({})cc1C"},
    {"sodium chloride cotransporter inhibitor",
     {"hydrochlorothiazide NS(=O)(=O)c1cc2c(cc1Cl)NCNS2(=O)=O", "bendroflumethiazide NS(=O)(=O)c1cc2c(cc1C(F)(F)F)NC(Cc1ccccc1)NS2(=O)=O",
      "chlorothiazide NS(=O)(=O)c1cc2c(cc1Cl)N=CNS2(=O)=O"},
     "NS(=O)(=O)c1cc2c(cc1Cl)NC(Cc1ccc({})cc1)NS2(=O)=O"},
    {"acetylcholine receptor antagonist",
     {"atropine CN1C2CCC1CC(OC(=O)C(CO)c1ccccc1)C2", "scopolamine CN1C2CC(OC(=O)C(CO)c3ccccc3)CC1C1OC12",
      "oxybutynin CCN(CC)CC#CCOC(=O)C(O)(C1CCCCC1)c1ccccc1", "homatropine CN1C2CCC1CC(OC(=O)C(O)c1ccccc1)C2"},
     "CN1C2CCC1CC(OC(=O)C(CO)c1ccc({})cc1)C2"},
    {"serotonin receptor antagonist",
     {"ondansetron Cc1nccn1CC1CCc2c(C1=O)c1ccccc1n2C", "granisetron CN1C2CCCC1CC(NC(=O)c1nn(C)c3ccccc13)C2",
      "tropisetron CN1C2CCC1CC(OC(=O)c1c[nH]c3ccccc13)C2", "alosetron Cc1[nH]cnc1CN1CCc2c(C1=O)c1ccccc1n2C"},
     "Cc1nccn1CC1CCc2c(C1=O)c1cc({})ccc1n2C"},
    {"serotonin receptor agonist",
     {"sumatriptan CNS(=O)(=O)Cc1ccc2[nH]cc(CCN(C)C)c2c1", "zolmitriptan CN(C)CCc1c[nH]c2ccc(CC3COC(=O)N3)cc12",
      "rizatriptan CN(C)CCc1c[nH]c2ccc(Cn3cncn3)cc12", "naratriptan CNS(=O)(=O)CCc1ccc2[nH]cc(C3CCN(C)CC3)c2c1"},
     "CN(C)CCc1c({})[nH]c2ccc(Cn3cncn3)cc12"},
    {"factor Xa inhibitor",
     {"rivaroxaban O=C(NCC1CN(c2ccc(N3CCOCC3=O)cc2)C(=O)O1)c1ccc(Cl)s1",
      "apixaban COc1ccc(cc1)-n1nc(C(N)=O)c2CCN(C(=O)c12)c1ccc(cc1)N1CCCCC1=O",
      "edoxaban CN(C)C(=O)C1CCC(NC(=O)C(=O)Nc2ccc(Cl)cn2)C(C1)NC(=O)c1nc2CCN(C)Cc2s1"},
     "O=C(NCC1CN(c2ccc(N3CCOCC3=O)c({})c2)C(=O)O1)c1ccc(Cl)s1"},
    {"androgen receptor antagonist",
     {"flutamide CC(C)C(=O)Nc1ccc([N+](=O)[O-])c(C(F)(F)F)c1", "bicalutamide CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1",
      "enzalutamide CNC(=O)c1ccc(cc1F)N1C(=S)N(C(=O)C1(C)C)c1ccc(C#N)c(C(F)(F)F)c1",
      "nilutamide CC1(C)NC(=O)N(C1=O)c1ccc([N+](=O)[O-])c(C(F)(F)F)c1"},
     "CC(O)(CS(=O)(=O)c1cccc({})c1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"},
    {"aromatase inhibitor",
     {"letrozole N#Cc1ccc(cc1)C(c1ccc(C#N)cc1)n1cncn1", "anastrozole CC(C)(C#N)c1cc(Cn2cncn2)cc(c1)C(C)(C)C#N",
      "vorozole Cn1nnc2cc(ccc12)C(c1ccc(Cl)cc1)n1cncn1", "fadrozole N#Cc1ccc(cc1)C1CCCc2cncn12"},
     "N#Cc1ccc(cc1)C(c1ccc({})cc1)n1cncn1"},
    {"PI3K inhibitor",
     {"pictilisib CS(=O)(=O)N1CCN(Cc2cc3nc(nc(N4CCOCC4)c3s2)-c2cccc3[nH]ncc23)CC1",
      "buparlisib Nc1cc(C(F)(F)F)c(cn1)-c1cc(nc(n1)N1CCOCC1)N1CCOCC1", "ZSTK474 FC(F)c1nc2ccccc2n1-c1nc(nc(n1)N1CCOCC1)N1CCOCC1",
      "LY-294002 O=c1cc(oc2c(cccc12)-c1ccccc1)N1CCOCC1"},
     "FC(F)c1nc2cc({})ccc2n1-c1nc(nc(n1)N1CCOCC1)N1CCOCC1"},
    {"MEK inhibitor",
     {"selumetinib Cn1cnc2c(F)c(Nc3ccc(Br)cc3Cl)c(cc12)C(=O)NOCCO", "PD-0325901 OCC(O)CONC(=O)c1ccc(F)c(F)c1Nc1ccc(I)cc1F",
      "binimetinib Cn1cnc2c(F)c(Nc3ccc(Br)cc3F)c(cc12)C(=O)NOCCO", "CI-1040 Fc1ccc(C(=O)NOCC2CC2)c(Nc2ccc(I)cc2Cl)c1F"},
     "Cn1cnc2c(F)c(Nc3ccc({})cc3Cl)c(cc12)C(=O)NOCCO"},
    {"JAK inhibitor",
     {"tofacitinib CC1CCN(CC1N(C)c1ncnc2[nH]ccc12)C(=O)CC#N", "ruxolitinib N#CCC(C1CCCC1)n1cc(cn1)-c1ncnc2[nH]ccc12",
      "baricitinib CCS(=O)(=O)N1CC(CC#N)(C1)n1cc(cn1)-c1ncnc2[nH]ccc12", "oclacitinib CNS(=O)(=O)CC1CCC(CC1)N(C)c1ncnc2[nH]ccc12"},
     "N#CCC(C1CCCC1)n1cc(cn1)-c1nc({})nc2[nH]ccc12"},
    {"ALK inhibitor",
     {"crizotinib CC(Oc1cc(cnc1N)-c1cnn(c1)C1CCNCC1)c1c(Cl)ccc(F)c1Cl",
      "ceritinib CC(C)Oc1cc(C2CCNCC2)c(C)cc1Nc1ncc(Cl)c(Nc2ccccc2S(=O)(=O)C(C)C)n1",
      "alectinib CCc1cc2c(cc1N1CCC(CC1)N1CCOCC1)C(C)(C)c1[nH]c3cc(ccc3c1C2=O)C#N"},
     "CC(C)Oc1cc(C2CCNCC2)c(C)cc1Nc1ncc(Cl)c(Nc2cc({})ccc2S(=O)(=O)C(C)C)n1"},
    {"Aurora kinase inhibitor",
     {"tozasertib CN1CCN(CC1)c1cc(Nc2cc(C)[nH]n2)nc(Sc2ccc(NC(=O)C3CC3)cc2)n1",
      "alisertib COc1cc(Nc2ncc3CN=C(c4cc(Cl)ccc4-c3n2)c2c(F)cccc2OC)ccc1C(=O)O",
      "AMG-900 Cc1csc(c1)-c1nnc(Nc2ccc(Oc3ncccc3-c3ccnc(N)n3)cc2)c2ccccc12"},
     "COc1cc(Nc2ncc3CN=C(c4ccc({})cc4-c3n2)c2c(F)cccc2OC)ccc1C(=O)O"},
    {"proteasome inhibitor",
     {"bortezomib CC(C)CC(NC(=O)C(Cc1ccccc1)NC(=O)c1cnccn1)B(O)O", "ixazomib CC(C)CC(NC(=O)CNC(=O)c1cc(Cl)ccc1Cl)B(O)O",
      "MG-132 CC(C)CC(C=O)NC(=O)C(CC(C)C)NC(=O)C(CC(C)C)NC(=O)OCc1ccccc1",
      "delanzomib CC(C)CC(NC(=O)C(NC(=O)c1cccc(n1)-c1ccccc1)C(C)O)B(O)O"},
     "CC(C)CC(NC(=O)C(Cc1ccc({})cc1)NC(=O)c1cnccn1)B(O)O"},
    {"HSP90 inhibitor",
     {"luminespib CCNC(=O)c1noc(c1-c1ccc(CN2CCOCC2)cc1)-c1cc(C(C)C)c(O)cc1O",
      "ganetespib CC(C)c1cc(c(O)cc1O)-c1n[nH]c(=O)n1-c1ccc2n(C)ccc2c1", "onalespib CC(C)c1cc(C(=O)N2Cc3ccc(CN4CCN(C)CC4)cc3C2)c(O)cc1O"},
     "CCNC(=O)c1noc(c1-c1ccc(CN2CCOCC2)c({})c1)-c1cc(C(C)C)c(O)cc1O"},
    {"bromodomain inhibitor",
     {"JQ1 Cc1sc2c(c1C)C(=NC(CC(=O)OC(C)(C)C)c1nnc(C)n12)c1ccc(Cl)cc1",
      "birabresib Cc1sc2c(c1C)C(=NC(CC(=O)Nc1ccc(O)cc1)c1nnc(C)n12)c1ccc(Cl)cc1",
      "molibresib CCNC(=O)CC1N=C(c2ccc(Cl)cc2)c2cc(OC)ccc2-n2c(C)nnc12"},
     "Cc1sc2c(c1C)C(=NC(CC(=O)OC(C)(C)C)c1nnc(C)n12)c1cccc({})c1"},
};

enum { FAMILIES = sizeof families / sizeof *families };

static int family_size(const family *f)
{
    int n = 0;
    while (n < REAL && f->real[n]) n++;
    return n + GROUPS;
}

int list_families(void)
{
    return FAMILIES;
}

int list_members(int of)
{
    return family_size(&families[of]);
}

int list_count(void)
{
    int n = 0;
    for (int i = 0; i < FAMILIES; i++) n += family_size(&families[i]);
    return n;
}

const char *list_mechanism(int of)
{
    return families[of].mechanism;
}

void list_member(int of, int member, text *name, text *smiles)
{
    const family *f = &families[of];
    int real = family_size(f) - GROUPS;
    text_clear(name);
    text_clear(smiles);
    if (member < real) {
        const char *space = strchr(f->real[member], ' ');
        text_addn(name, f->real[member], (size_t)(space - f->real[member]));
        text_add(smiles, space + 1);
        return;
    }
    const char *gap = strstr(f->stem, "{}");
    text_addf(name, "%s, %s variant", f->mechanism, group_names[member - real]);
    text_addn(smiles, f->stem, (size_t)(gap - f->stem));
    text_add(smiles, groups[member - real]);
    text_add(smiles, gap + 2);
}
