/* simulate.h -- what the parts of micon-simulate share: the compounds and what they do to cells, the screen's layout and its
 * nuisances, the files. Everything is a pure function of the options; only main.c knows of ranks. */
#ifndef SIMULATE_H
#define SIMULATE_H
#include "draw.h"
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *out;
    int64_t sources, batches, plates, wells, sites, compounds, doses, size, seed;
    double structure; /* share of the effects' variance that follows from the structure */
    double position;  /* sd of what a position does to its cells, the same on all plates */
    bool masks;       /* true label images too */
    int layout;
} sim_options;

/* Of --layout, in the order of its row: places drawn anew for every plate, or the same on all plates of a number. */
enum { LAYOUT_RANDOM, LAYOUT_FIXED };

/* Streams of the random numbers, beside STREAM_SIMULATE itself (the fixed texture, seed of its own). */
enum {
    SIM_STRUCTURE = STREAM_SIMULATE + 1, /* fixed: what a fingerprint's bits do */
    SIM_MECHANISM,                       /* fixed: what a mechanism does, what a compound does on its own */
    SIM_CHOICE,                          /* which compounds, which are inactive, how strong */
    SIM_SOURCE,
    SIM_BATCH,
    SIM_PLATE,
    SIM_LAYOUT,
    SIM_WELL,
    SIM_SITE,
    SIM_NOISE,
    SIM_POSITION
};
uint32_t sim_seed(const sim_options *o);

/* ---- drug_list.c: 52 mechanisms with 8 or 9 compounds each ---- */
int list_families(void);
int list_members(int of);
int list_count(void);
const char *list_mechanism(int of);
void list_member(int of, int member, text *name, text *smiles);

/* ---- morphology.c ---- */
enum { SIM_BITS = 1024, SIM_KEY = 28, SIM_ID = 16, SIM_NAME = 96, SIM_SMILES = 256 };
#define SIM_CONTROL "JCP2022_033924"
#define SIM_EMPTY "JCP2022_999999"
#define SIM_DOSE "Metadata_mmoles_per_liter"

typedef struct {
    char id[SIM_ID], key[SIM_KEY], name[SIM_NAME], mechanism[SIM_NAME], smiles[SIM_SMILES];
    uint8_t fingerprint[SIM_BITS / 8]; /* ECFP4; bit i is [i / 8] >> i % 8 & 1 */
    int active;
    double half; /* with doses: log10 mM at which half of the effect is there */
    double strength;
    double factor[FACTORS]; /* all 0 where inactive */
} sim_compound;

/* The o->compounds compounds of this screen, in the order of their identifiers; needs Open Babel. out: caller's array. */
status morphology_compounds(sim_compound *out, const sim_options *o) MUST_USE;
/* With --doses. Half a decade from one to the next, 0 is the highest. */
double morphology_dose(int number);                         /* log10 mM */
double morphology_share(const sim_compound *c, int number); /* of the effect that is there */

/* ---- screen.c ---- */
enum { WELL_EMPTY = -2, WELL_CONTROL = -1 }; /* otherwise the position of a compound, + compounds x number of the dose (0: highest) */

typedef struct {
    char source[16], batch[16], plate[16];
    int source_at, batch_at, plate_at;
    int *content;  /* [wells] */
    optics camera; /* the source's, with the batch's and plate's staining in gain */
    int width, height;
    double drift[FACTORS];                       /* what the plate's cells differ by */
    double slope_x[CHANNELS], slope_y[CHANNELS]; /* staining over the plate */
    double crowding, edge;                       /* cells on this plate; what the outermost wells lose */
} sim_plate;

typedef struct {
    double factor[FACTORS]; /* compound + drift + the well's own */
    double crowding, gain[CHANNELS];
} sim_well;

int64_t screen_plates(const sim_options *o);
status screen_plate(sim_plate *out, const sim_options *o, int64_t at) MUST_USE; /* plates are numbered source, batch, plate */
void screen_plate_free(sim_plate *p);
void screen_format(int64_t wells, int *rows, int *columns); /* the smallest usual plate with so many wells; 0 x 0: none */
int screen_controls(int64_t wells);                         /* control wells of a plate */
void screen_well_name(const sim_options *o, int well, char out[8]);
void screen_well(sim_well *out, const sim_plate *p, const sim_compound *list, const sim_options *o, int well);

/* ---- files.c: names are in the out folder ---- */
enum { SIM_FILES = CHANNELS + N_MASKS }; /* of a site: channels, then label images */
int files_a_site(const sim_options *o);
char *files_plate_dir(const sim_options *o, const sim_plate *p);
char *files_image(const sim_options *o, const sim_plate *p, int well, int site, int file);
status files_site(const sim_options *o, const sim_plate *p, int well, int site, uint16_t *const px[SIM_FILES], bool again) MUST_USE;
bool files_image_is_there(const char *path);
status files_sync(const sim_options *o) MUST_USE; /* every image of this rank is on the disk */
status files_load_data(const sim_options *o, const sim_plate *p) MUST_USE;
status files_tables(const sim_options *o, const sim_compound *list) MUST_USE; /* metadata, truth, screen.yaml */

/* May this program write into o->out? Makes the folder and its marker. With force, plate folders of an earlier simulation go. */
status files_claim(const sim_options *o, bool force) MUST_USE;

#endif
