/* t_index_images.c -- the index: where images are. Paths and addresses, folders that moved, planes of z in rows, pages of a file. */
#include "../index_screen.h"

static void paths(void)
{
    screen s;
    text t = {0}, p = {0};
    begin(&s, "a dir/*/l'\xC3\xA4 \"q\".csv", NULL, NULL, NULL);
    put("a dir/B 1/l'\xC3\xA4 \"q\".csv",
        "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_OrigDNA,PathName_OrigDNA,URL_OrigER,FileName_IllumDNA,PathName_IllumDNA,"
        "FileName_IllumER\n"
        "P,A1,1,\"a "
        "\"\"1\"\",x.tif\",../up/\xC3\xA9,file:///abs/a%20b.tif,i.npy,/il,\nP,A1,2,/abs/c.tif,ignored,file://localhost/d.tif,,,j.npy\n"
        "P,A1,10,sub/c.tif,,FILE:e.tif,,,\n");
    screen_index *ix = build(&s);
    same(show(ix, &t),
         "S1/B 1/P A01 1  -1: a dir/B 1/../up/\xC3\xA9/a \"1\",x.tif /abs/a b.tif\nS1/B 1/P A01 2  -1: /abs/c.tif /d.tif\n"
         "S1/B 1/P A01 10  -1: a dir/B 1/sub/c.tif a dir/B 1/e.tif\n",
         "paths: '..', spaces, quotes, UTF-8, absolute, addresses; no Source: S1, no Batch: the folder; sites as numbers");
    ok(ix && index_has_illumination(ix), "illumination functions");
    same(index_illumination(ix, 0, 0, &p), "/il/i.npy", "an absolute one");
    same(index_illumination(ix, 0, 1, &p), "", "none");
    text_clear(&t), text_add(&t, index_illumination(ix, 1, 1, &p)), strip(&t);
    same(t.s, "a dir/B 1/j.npy", "a relative one");
    ok(index_page(ix, 0, 1) == -1, "files of one page");
    text_clear(&t), text_add(&t, index_where(ix, 1, &p)), strip(&t);
    same(t.s, "a dir/B 1/l'\xC3\xA4 \"q\".csv:3", "where a site is named");
    index_free(&ix);
    end(&s);
    /* the folder itself holds what a glob would take for its own, and the table lies in it */
    begin(&s, "t*.csv", NULL, NULL, NULL);
    char *odd = xasprintf("%s/od[d] {a,b}*", folder);
    free(folder), folder = odd;
    s.o.dir = folder;
    put("t1.csv", "Metadata_Plate,Metadata_Well,Metadata_Site,DNA,ER\nP,A1,1,a,b\n");
    ix = build(&s);
    same(show(ix, &t), "S1/od[d] {a,b}*/P A01 1  -1: a b\n", "a folder with a glob's characters");
    index_free(&ix);
    end(&s);
    text_free(&t);
    text_free(&p);
}

/* Tables of another machine: screen.paths, a batch that no table has, a table without sites. */
static void moved(void)
{
    static const struct {
        const char *what, *from, *to, *dna, *er, *want;
    } c[] = {
        {"a prefix of folders", "/home/ubuntu/bucket", "/data/plates/", "/home/ubuntu/bucket/b/P", "/home/ubuntu/bucket2",
         "/data/plates/b/P/d.tif /home/ubuntu/bucket2/e.tif"},
        {"its own separator", "/home/ubuntu/", "/data", "/home/ubuntu/b", "/home/ubuntu/", "/data/b/d.tif /data/e.tif"},
        {"the folder of the configuration", "/mnt/a", "here", "/mnt/a/b", "/mnt/a", "here/b/d.tif here/e.tif"},
        {"nothing for it", "/mnt/a", "", "/mnt/a/b", "/mnt/a", "./b/d.tif ./e.tif"},
        {"to a bucket", "/home/ubuntu", "s3://gallery//x/", "/home/ubuntu/b", "https://h:1/a//b?c=/d",
         "s3://gallery//x/b/d.tif https://h:1/a//b?c=/d/e.tif"},
        {"a bucket", "s3://gallery", "/copy", "s3://gallery/x y", "file:///mnt/a%20b", "/copy/x y/d.tif /mnt/a b/e.tif"},
        {"Windows", "\\\\server\\share", "/mnt", "\\\\server\\share\\P 1\\a\\", "img", "/mnt/P 1/a/d.tif t/img/e.tif"},
        {"a drive", "D:\\", "/mnt", "D:\\P\\a", "img", "/mnt/P/a/d.tif t/img/e.tif"},
    };
    text t = {0}, p = {0};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        screen s;
        begin(&s, "t/t.csv", NULL, NULL, NULL);
        s.o.paths_from = c[i].from, s.o.paths_to = c[i].to, s.o.batch = i % 2 ? "W1" : "";
        text_clear(&t);
        text_addf(&t,
                  "FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER,Metadata_Plate,Metadata_Well\n"
                  "d.tif,%s,e.tif,%s,P,A01\n",
                  c[i].dna, c[i].er);
        put("t/t.csv", t.s);
        screen_index *ix = build(&s);
        text_clear(&t);
        for (int k = 0; ix && k < 2; k++) text_addf(&t, "%s%s", k ? " " : "", index_path(ix, 0, k, &p));
        strip(&t);
        same(text_str(&t), c[i].want, c[i].what);
        same(ix ? index_cell(ix, 0, INDEX_BATCH) : "", i % 2 ? "W1" : "t", "a batch that no table gives");
        same(ix ? index_cell(ix, 0, INDEX_SITE) : "", "1", "a table without sites");
        ok(ix && !findings_count(index_findings(ix), FINDING_ERROR), "no errors");
        index_free(&ix);
        end(&s);
    }
    text_free(&t), text_free(&p);
}

/* Planes that are files: "img/a1.tif+a2.tif@page img/e1.tif" a site. */
static char *show_planes(const screen_index *ix, text *t)
{
    text p = {0};
    text_clear(t), text_add(t, "");
    for (int64_t i = 0; ix && i < index_n_rows(ix); i++)
        for (int k = 0; k < index_n_channels(ix); k++) {
            int64_t at, n = index_planes(ix, i, k, &at);
            text_addf(t, "%s%s", k ? " " : "", index_path(ix, i, k, &p));
            for (; n > 0; n--, at++) {
                text_addf(t, "+%s", index_plane_path(ix, at, &p));
                if (index_plane_page(ix, at) >= 0) text_addf(t, "@%d", index_plane_page(ix, at));
            }
            if (k) text_add(t, "\n");
        }
    text_free(&p);
    strip(t);
    return t->s;
}

static void planes(void)
{
#define ROWS_OF(z)                                                                                                                         \
    "DNA,ER,Plate,Well,Site," z ",Metadata_x\n"                                                                                            \
    "a10,e,P,A1,1,10,u\na2,e,P,A1,1,2,v\na9,e,P,A1,1,9,w\nb1,,P,A1,2,1,x\nb2,f,P,A1,2,2,y\n"
    static const struct {
        const char *what, *table;
        int64_t z;
        bool pages;
        const char *want, *says;
    } c[] = {
        {"a maximum keeps all", ROWS_OF("Metadata_Z"), Z_MAX, false, "a2+a9+a10 e\nb1+b2 f\n", ""},
        {"the middle one", ROWS_OF("Z"), Z_MIDDLE, false, "a9 e\nb1 f\n", ""},
        {"the second", ROWS_OF("z"), 2, false, "a9 \nb2 \n",
         "sites without the plane that tile.z asks for: 2\n    t.csv:3: A01 site 1: ER has 1\n"},
        {"a sheet of images", "channel,path,plate,well,site,z\nDNA,a1,P,A1,1,1\nDNA,a2,P,A1,1,2\nER,e1,P,A1,1,1\nER,e2,P,A1,1,2\n", Z_MEAN,
         false, "a1+a2 e1+e2\n", ""},
        {"pages of one file", "path,Plate,Well,Site,Z,Frame_DNA,Frame_ER\ns,P,A1,1,1,0,1\ns,P,A1,1,2,2,3\n", Z_MAX, true, "s+s@2 s+s@3\n",
         ""},
        {"without Z nothing changes", "DNA,ER,Plate,Well,Site\na,e,P,A1,1\n", Z_MAX, false, "a e\n", ""},
        {"without tile.z they are duplicates", ROWS_OF("Z"), 0, false, "a10 e\nb1 \n", "; tile.z makes one image of the planes of Z\n"},
        {"the same plane twice", "DNA,ER,Plate,Well,Site,Z\na,e,P,A1,1,1\nb,f,P,A1,1,2\nc,g,P,A1,1,2.0\n", Z_MAX, false, "a+b e+f\n",
         "/P is already in t.csv:3\n"},
        {"no number", "DNA,ER,Plate,Well,Site,Z\na,e,P,A1,1,x\n", Z_MAX, false, "", "t.csv:2: Z: 'x' is not a number"},
    };
    text t = {0};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        screen s;
        begin(&s, "t.csv", NULL, NULL, NULL);
        s.o.z = c[i].z, s.o.pages = c[i].pages;
        put("t.csv", c[i].table);
        screen_index *ix = build(&s);
        same(show_planes(ix, &t), c[i].want, c[i].what);
        found(ix, &t);
        if (!ok(strstr(t.s, c[i].says) != NULL, "what is said of it")) printf("# %s\n", t.s);
        if (!*c[i].says) ok(ix && index_col(ix, "Metadata_Z") < 0, "Z is a key");
        if (i == 0) {
            findings missing = {0};
            uint64_t d = index_plate_digest(ix, 0, INDEX_OF_IMAGES);
            put("a2", "x"), put("a9", "x"), put("e", "x"), put("b1", "x"), put("b2", "x"), put("f", "x");
            index_check_files(ix, 0, 1, false, 0, &missing);
            text_clear(&t), findings_show(&missing, &t), strip(&t);
            if (!ok(strstr(t.s, "image files that are missing") && strstr(t.s, "a10"), "a further plane that is missing"))
                printf("# %s\n", t.s);
            findings_free(&missing);
            index_free(&ix);
            put("t.csv", "DNA,ER,Plate,Well,Site,Z\na10,e,P,A1,1,10\na2,e,P,A1,1,2\na8,e,P,A1,1,9\nb1,,P,A1,2,1\nb2,f,P,A1,2,2\n");
            ix = build(&s);
            ok(ix && index_plate_digest(ix, 0, INDEX_OF_IMAGES) != d, "another plane is another plate");
        }
        index_free(&ix);
        end(&s);
    }
    text_free(&t);
#undef ROWS_OF
}

static void pages(void)
{
    static const char *const tables[] = {
        "FileName_OrigDNA,FileName_OrigER,Metadata_Plate,Metadata_Well,Metadata_Site\na,a,P,A1,1\n",
        "FileName_Stack,PathName_Stack,Metadata_Plate,Metadata_Well,Metadata_Site\na,.,P,A1,1\n",
        "path,Metadata_Plate,Metadata_Well,Metadata_Site,Frame_OrigDNA,Frame_ER\na,P,A1,1,1,0\n",
    };
    text t = {0};
    for (int i = 0; i < 3; i++) {
        screen s;
        begin(&s, "t.csv", NULL, NULL, NULL);
        s.o.pages = true;
        put("t.csv", tables[i]);
        screen_index *ix = build(&s);
        ok(ix && index_n_rows(ix) == 1 && index_page(ix, 0, 0) == (i == 2) && index_page(ix, 0, 1) == (i != 2), "pages");
        text_clear(&t), show(ix, &t);
        ok(strstr(t.s, i == 1 ? ": ./a ./a\n" : ": a a\n") != NULL, "of one file");
        index_free(&ix);
        end(&s);
    }
    text_free(&t);
}

int main(void)
{
    base = xstrdup(tap_dir());
    paths();
    moved();
    pages();
    planes();
    free(base);
    free(folder);
    return tap_done();
}
